/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT to_timestamp(who) AS at FROM events
