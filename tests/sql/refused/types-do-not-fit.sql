/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT avg(who) AS a FROM events GROUP BY tumble(event_time, INTERVAL '1 hour')
