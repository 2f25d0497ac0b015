/*
title    = "Copies"
severity = "low"
about    = "A copy counts once in each window."
*/
SELECT tumble(event_time, INTERVAL '1 minute') AS start, count(*) AS records, sum(n) AS total FROM events GROUP BY tumble(event_time, INTERVAL '1 minute')
