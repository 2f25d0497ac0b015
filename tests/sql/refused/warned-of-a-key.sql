/*
title = "Refused"
severity = "low"
key = ["n"]
about = "It shows what is said."
*/
SELECT count(*) AS n FROM events GROUP BY tumble(event_time, INTERVAL '1 hour')
