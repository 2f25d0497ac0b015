/*
title    = "Named windows"
severity = "low"
about    = "A named window may build on another one."
*/
SELECT event_id, count(*) OVER short AS recent, count(*) OVER (people ORDER BY event_time RANGE INTERVAL '1 minute' PRECEDING) AS all_of_it FROM events
WINDOW people AS (PARTITION BY who), short AS (people ORDER BY event_time RANGE INTERVAL '10 seconds' PRECEDING)
QUALIFY count(*) OVER short >= 2
