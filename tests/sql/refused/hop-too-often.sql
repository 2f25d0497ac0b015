/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT count(*) AS n FROM events GROUP BY hop(event_time, INTERVAL '1 second', INTERVAL '1 day')
