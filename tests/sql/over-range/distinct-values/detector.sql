/*
title    = "Distinct values"
severity = "low"
about    = "count(DISTINCT) counts a value as long as one record with it is in the range; NULL is no value."
*/
SELECT event_id, count(DISTINCT kind) OVER w AS kinds, count(DISTINCT data ->> 'v') OVER w AS seen FROM events
WINDOW w AS (PARTITION BY who ORDER BY event_time RANGE INTERVAL '10 seconds' PRECEDING) QUALIFY kinds >= 0
