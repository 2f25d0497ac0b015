/*
title    = "Learn"
severity = "low"
about    = "Windows that start before the least event time and what it learns for are counted, and are no findings."
learn    = "2 hours"
*/
SELECT who, hour, records FROM (SELECT who, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events GROUP BY hour, who)
QUALIFY records > coalesce(sum(records) OVER (PARTITION BY who ORDER BY hour RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '1 hour' PRECEDING), 0)
