/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT count(DISTINCT who, kind) AS n FROM events GROUP BY tumble(event_time, INTERVAL '1 hour')
