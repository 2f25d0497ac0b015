/*
title    = "No upper bound yet"
severity = "low"
about    = "Fewer than: certain when the window is over."
*/
SELECT who, count(*) AS records FROM events WHERE who IS NOT NULL GROUP BY tumble(event_time, INTERVAL '1 minute'), who HAVING count(*) < 2
