/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT count(*) AS n FROM events GROUP BY hop(event_time, INTERVAL '5 minutes', INTERVAL '1 minute')
