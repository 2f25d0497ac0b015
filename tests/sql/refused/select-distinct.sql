/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT DISTINCT who FROM events
