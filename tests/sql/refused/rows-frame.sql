/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events QUALIFY count(*) OVER (PARTITION BY who ORDER BY event_time ROWS 3 PRECEDING) > 2
