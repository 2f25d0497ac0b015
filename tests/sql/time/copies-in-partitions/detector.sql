/*
title    = "Copies in partitions"
severity = "low"
about    = "A copy that comes through another partition is one too."
*/
SELECT event_id, n, count(*) OVER (ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) AS records FROM events QUALIFY records >= 1
