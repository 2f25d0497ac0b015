/*
title = "Refused"
severity = "low"
suppres = "1 hour"
about = "It shows what is said."
*/
SELECT event_id FROM events
