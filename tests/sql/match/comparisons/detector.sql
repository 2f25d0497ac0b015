/*
title    = "Comparisons"
severity = "low"
about    = "Each comparison, over numbers, texts and NULL."
*/
SELECT event_id, n = 2 AS equal, n <> 2 AS unequal, n < 2 AS less, n <= 2 AS at_most, n > 2 AS more, n >= 2 AS at_least,
       n BETWEEN 1 AND 2 AS between_them, n NOT BETWEEN 1 AND 2 AS not_between, x > 1 AS of_floats, n > 1.5 AS of_both, who < 'b' AS of_texts
FROM events WHERE who >= ''
