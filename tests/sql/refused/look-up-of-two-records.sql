/*
title = "t"
severity = "low"
about = "a"
*/
SELECT a.who, f.owner FROM events a JOIN events b ON a.who = b.who AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 minute' AND a.event_id <> b.event_id JOIN functions f ON f.name = concat(a.kind, b.kind)
