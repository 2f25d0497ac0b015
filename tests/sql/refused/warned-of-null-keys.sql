/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events QUALIFY count(*) OVER (PARTITION BY who ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) > 2
