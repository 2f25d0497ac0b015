/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events QUALIFY count(*) OVER (ORDER BY event_time RANGE BETWEEN CURRENT ROW AND INTERVAL '1 hour' FOLLOWING) > 2
