/*
title    = "One value that is to be two"
severity = "low"
about    = "A record has one region."
*/
SELECT principal, region, event_time
FROM (SELECT * FROM cloudtrail WHERE region LIKE 'eu-%')
WHERE region = 'us-east-1' AND event_name = 'RunInstances'
