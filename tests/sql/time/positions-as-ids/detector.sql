/*
title    = "Positions as ids"
severity = "low"
about    = "A stream without identity has no copies, and ids are positions."
*/
SELECT event_id, status, count(*) OVER (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) AS requests FROM api QUALIFY requests >= 2
