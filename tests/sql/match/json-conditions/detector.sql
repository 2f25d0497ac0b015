/*
title    = "Json conditions"
severity = "low"
about    = "Paths in conditions: missing is NULL, and so neither equal nor unequal."
*/
SELECT event_id FROM events
WHERE data ->> 's' = 'text' OR data ->> 's' <> 'text' AND (data ->> 'i')::bigint < 0 OR data -> 0 ->> 's' LIKE 'in%'
