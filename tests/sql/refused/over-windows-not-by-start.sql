/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT who, hour, records FROM (SELECT who, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events WHERE who IS NOT NULL GROUP BY hour, who)
QUALIFY records > sum(records) OVER (PARTITION BY who ORDER BY event_time RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '1 hour' PRECEDING)
