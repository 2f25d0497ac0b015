/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT count(*) AS n FROM events
