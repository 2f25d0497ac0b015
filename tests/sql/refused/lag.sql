/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id, lag(who) OVER (ORDER BY event_time, event_id) AS before FROM events
