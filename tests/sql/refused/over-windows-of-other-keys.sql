/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT who, hour, records FROM (SELECT who, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records, max(kind) AS kind FROM events WHERE who IS NOT NULL GROUP BY hour, who)
QUALIFY records > sum(records) OVER (PARTITION BY kind, who ORDER BY hour RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '1 hour' PRECEDING)
