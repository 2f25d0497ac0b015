/*
title    = "By number"
severity = "low"
about    = "GROUP BY the numbers of the SELECT list."
*/
SELECT who, tumble(event_time, INTERVAL '1 hour') AS start, count(*) AS records FROM events WHERE who IS NOT NULL GROUP BY 1, 2
