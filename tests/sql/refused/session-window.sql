/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT who, count(*) AS n FROM events WHERE who IS NOT NULL GROUP BY session(event_time, INTERVAL '5 minutes'), who
