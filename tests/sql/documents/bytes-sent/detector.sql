/*
title    = "Bytes sent"
severity = "low"
about    = "A gigabyte sent to one address within five minutes, looked at every minute."
*/
SELECT hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes') AS start, source_ip,
       count(*) AS requests, sum(response_bytes) AS bytes
FROM api
WHERE source_ip IS NOT NULL
GROUP BY hop(event_time, INTERVAL '1 minute', INTERVAL '5 minutes'), source_ip
HAVING sum(response_bytes) >= 1000000000
