/*
title    = "Several keys"
severity = "low"
about    = "A key of several columns, NULL in one of them."
*/
SELECT event_id, who, kind, count(*) OVER (PARTITION BY who, kind ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) AS records
FROM events WHERE who IS NOT NULL QUALIFY records > 1
