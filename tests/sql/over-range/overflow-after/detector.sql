/*
title    = "Overflow after"
severity = "low"
about    = "What overflows after the aggregates is NULL too."
*/
SELECT event_id, sum(n) OVER w AS total, sum(n) OVER w + 1 AS more FROM events WHERE who = 'b'
WINDOW w AS (ORDER BY event_time RANGE INTERVAL '10 seconds' PRECEDING) QUALIFY sum(n) OVER w + 1 IS NULL OR total < 10
