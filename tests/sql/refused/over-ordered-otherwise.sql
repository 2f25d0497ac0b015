/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events QUALIFY count(*) OVER (ORDER BY event_time DESC RANGE INTERVAL '1 hour' PRECEDING) > 2
