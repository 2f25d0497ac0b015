/*
title    = "Aggregates"
severity = "low"
about    = "Each aggregate over one window."
*/
SELECT who, count(*) AS records, count(ok) AS known, count(DISTINCT n % 2) AS parities, sum(n) AS total, avg(n) AS mean, min(n) AS least, max(n) AS most,
       bool_and(ok) AS all_ok, bool_or(ok) AS any_ok, min(event_time) AS first_time, max(who) AS greatest, min(x) AS least_float
FROM events GROUP BY tumble(event_time, INTERVAL '2 minutes'), who HAVING count(*) >= 1
