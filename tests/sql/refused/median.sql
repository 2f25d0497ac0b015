/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT median(n) AS m FROM events GROUP BY tumble(event_time, INTERVAL '1 hour')
