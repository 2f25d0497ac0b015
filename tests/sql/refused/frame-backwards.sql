/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events QUALIFY count(*) OVER (ORDER BY event_time RANGE BETWEEN INTERVAL '1 minute' PRECEDING AND INTERVAL '1 hour' PRECEDING) > 2
