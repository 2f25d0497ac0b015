/*
title    = "Learn"
severity = "low"
about    = "Windows that start before the least event time and what it learns for are no findings."
learn    = "90s"
*/
SELECT tumble(event_time, INTERVAL '1 minute') AS start, count(*) AS records FROM events GROUP BY tumble(event_time, INTERVAL '1 minute')
