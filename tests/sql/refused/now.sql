/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events WHERE event_time > now() - INTERVAL '1 hour'
