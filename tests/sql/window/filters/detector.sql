/*
title    = "Filters"
severity = "low"
about    = "FILTER and HAVING."
*/
SELECT who, count(*) FILTER (WHERE ok) AS fine, sum(n) FILTER (WHERE n > 1) AS more FROM events
GROUP BY tumble(event_time, INTERVAL '2 minutes'), who HAVING count(*) FILTER (WHERE n IS NOT NULL) >= 2 AND NOT bool_and(ok)
