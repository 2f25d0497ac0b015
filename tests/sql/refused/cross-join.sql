/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT e.event_id FROM events e, api a
