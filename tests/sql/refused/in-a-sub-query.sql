/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events WHERE who IN (SELECT principal FROM api)
