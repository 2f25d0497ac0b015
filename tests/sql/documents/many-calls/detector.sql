/*
title    = "Many calls"
severity = "low"
about    = "A thousand calls of one principal in five minutes."
*/
SELECT tumble(event_time, INTERVAL '5 minutes') AS start, principal, count(*) AS calls
FROM cloudtrail
GROUP BY tumble(event_time, INTERVAL '5 minutes'), principal
HAVING count(*) >= 1000
