/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
DELETE FROM events
