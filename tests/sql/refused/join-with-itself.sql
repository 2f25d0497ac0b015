/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT a.event_id FROM events a JOIN events b ON a.who = b.who AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 hour'
