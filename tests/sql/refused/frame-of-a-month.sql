/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events QUALIFY count(*) OVER (ORDER BY event_time RANGE INTERVAL '1 month' PRECEDING) > 2
