/*
title    = "Qualify"
severity = "low"
about    = "QUALIFY asks the same as a WHERE around it; a WHERE before it takes rows from the range."
*/
SELECT who, hour, records FROM (SELECT who, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events GROUP BY tumble(event_time, INTERVAL '1 hour'), who) AS hours
WHERE records >= 2
QUALIFY records > max(records) OVER (PARTITION BY who ORDER BY hour RANGE BETWEEN INTERVAL '6 hours' PRECEDING AND INTERVAL '1 hour' PRECEDING)
