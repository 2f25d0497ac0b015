/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT upper(who) AS w FROM events WHERE w = 'A'
