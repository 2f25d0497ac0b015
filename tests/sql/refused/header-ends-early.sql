/*
title = "Refused"
severity = "low"
about = "any of arn:aws:iam::*/role"
*/
SELECT event_id FROM events
