/*
title    = "Without keys"
severity = "low"
about    = "No PARTITION BY: all records are one key."
*/
SELECT event_id, count(*) OVER (ORDER BY event_time RANGE INTERVAL '3 seconds' PRECEDING) AS records FROM events QUALIFY records >= 2
