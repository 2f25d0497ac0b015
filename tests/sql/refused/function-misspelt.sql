/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT uper(who) AS u FROM events
