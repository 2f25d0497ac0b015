/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events ORDER BY event_time
