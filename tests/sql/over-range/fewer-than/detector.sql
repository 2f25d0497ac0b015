/*
title    = "Fewer than"
severity = "low"
about    = "An upper bound is certain only when the watermark has passed."
*/
SELECT event_id, count(*) OVER (PARTITION BY who ORDER BY event_time RANGE INTERVAL '10 seconds' PRECEDING) AS records
FROM events QUALIFY records < 2
