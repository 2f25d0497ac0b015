/*
title    = "Sums beyond 64 bits"
severity = "low"
about    = "A sum is exact in 128 bits, and NULL where it does not fit 64."
*/
SELECT who, sum(n) AS total, avg(n) AS mean, min(n) AS least, max(n) AS most, count(n) AS many FROM events
GROUP BY tumble(event_time, INTERVAL '1 minute'), who HAVING count(*) > 0
