/*
title    = "With clause"
severity = "low"
about    = "The same through WITH."
*/
WITH counted AS (SELECT *, count(*) OVER (PARTITION BY who ORDER BY event_time RANGE INTERVAL '10 seconds' PRECEDING) AS c FROM events)
SELECT event_id, c * 2 AS twice FROM counted WHERE c > 2
