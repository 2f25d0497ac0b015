/*
title = "Refused"
severity = "lo"
suppress = "soon"
attack = ["T1110.1"]
about = "It shows what is said."
*/
SELECT event_id FROM events
