/*
title    = "Failures and slowest"
severity = "low"
about    = "Twenty failures and a slow answer within five minutes."
*/
SELECT source_ip, event_time, failures, slowest
FROM (SELECT *, count(*) FILTER (WHERE status >= 500) OVER minutes AS failures, max(latency_ms) OVER minutes AS slowest
      FROM api
      WHERE source_ip IS NOT NULL
      WINDOW minutes AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING))
WHERE failures >= 20 AND slowest >= 10000
