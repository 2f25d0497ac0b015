/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT count(*) AS n
FROM api
GROUP BY hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes')
HAVING count(*) >= 10 AND hop(event_time, INTERVAL '2 minutes', INTERVAL '5 minutes') IS NOT NULL
