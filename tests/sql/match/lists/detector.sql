/*
title    = "Lists"
severity = "low"
about    = "IN and NOT IN: with NULL in the list nothing is surely not in it."
*/
SELECT event_id, n IN (1, 2) AS found, n NOT IN (1, 2) AS not_found, n IN (1, NULL) AS found_or_unknown,
       n NOT IN (1, NULL) AS never_true, who IN ('a', 'é') AS text_found
FROM events WHERE n IN (1, 2, 3) OR who NOT IN ('a', 'b')
