/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events UNION SELECT event_id FROM api
