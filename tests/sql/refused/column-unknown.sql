/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT eventName, region FROM cloudtrail
