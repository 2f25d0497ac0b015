/*
title    = "Late in a range"
severity = "low"
about    = "The same in a range."
*/
SELECT event_id, count(*) OVER (ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) AS records, sum(n) OVER (ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) AS which FROM events
QUALIFY records >= 1
