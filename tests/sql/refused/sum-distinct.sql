/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT sum(DISTINCT n) AS s FROM events GROUP BY tumble(event_time, INTERVAL '1 hour')
