/*
title    = "Before the row"
severity = "low"
about    = "A frame that ends before the row; over no records counts are 0 and all else is NULL."
*/
SELECT event_id, count(*) OVER before AS records, sum(n) OVER before AS total, max(n) OVER before AS most, bool_or(ok) OVER before AS any_ok
FROM events WINDOW before AS (PARTITION BY who ORDER BY event_time RANGE BETWEEN INTERVAL '10 seconds' PRECEDING AND INTERVAL '4 seconds' PRECEDING)
QUALIFY records < 10
