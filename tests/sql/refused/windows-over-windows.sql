/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT tumble(hour, INTERVAL '1 day') AS day, max(records) AS most
FROM (SELECT tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events GROUP BY hour)
GROUP BY tumble(hour, INTERVAL '1 day')
