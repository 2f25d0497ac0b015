/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT principal, count(*) FROM cloudtrail GROUP BY principal
