/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT count(*) AS n FROM events GROUP BY tumble(event_time, INTERVAL '1 minute'), tumble(event_time, INTERVAL '1 hour')
