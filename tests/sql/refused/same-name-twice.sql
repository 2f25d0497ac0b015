/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT who, upper(who) AS who FROM events
