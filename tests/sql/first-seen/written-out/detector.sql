/*
title    = "Written out"
severity = "low"
about    = "What first_seen is short for."
*/
SELECT event_id, who, event_time FROM events
QUALIFY count(*) OVER (PARTITION BY who ORDER BY event_time RANGE BETWEEN INTERVAL '10 seconds' PRECEDING AND INTERVAL '1 microsecond' PRECEDING) = 0
