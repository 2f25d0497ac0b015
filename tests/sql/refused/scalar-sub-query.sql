/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id, (SELECT 1) AS one FROM events
