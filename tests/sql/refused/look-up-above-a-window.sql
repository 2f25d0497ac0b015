/*
title = "t"
severity = "low"
about = "a"
*/
SELECT w.who, f.owner FROM (SELECT who, count(*) AS n FROM events WHERE who IS NOT NULL GROUP BY tumble(event_time, INTERVAL '1 minute'), who) w JOIN functions f ON f.name = w.who
