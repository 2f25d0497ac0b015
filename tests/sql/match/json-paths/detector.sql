/*
title    = "Json paths"
severity = "low"
about    = "->> gives texts, numbers and truth values as text, objects as JSON, and NULL for what is missing."
*/
SELECT event_id, data ->> 's' AS s, data ->> 'i' AS i, data ->> 'u' AS u, data ->> 'f' AS f, data ->> 'whole' AS whole, data ->> 't' AS t,
       data ->> 'o' AS o, data -> 'o' -> 'a' ->> 1 AS second, data -> 'o' -> 'a' ->> -1 AS last, data -> 'o' -> 'a' ->> '0' AS by_key,
       data ->> 'é' AS e, data ->> 'q''s' AS q, data -> 0 ->> 's' AS of_an_array, data ->> 1 AS element, data -> 'o' AS json
FROM events WHERE true
