/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS often
FROM (SELECT * FROM events QUALIFY count(*) OVER (ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) >= 5)
GROUP BY tumble(event_time, INTERVAL '1 hour')
