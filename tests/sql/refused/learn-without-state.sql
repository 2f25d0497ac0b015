/*
title = "Refused"
severity = "low"
learn = "7 days"
about = "It shows what is said."
*/
SELECT event_id FROM events
