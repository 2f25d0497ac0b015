/*
title    = "A side that looks up"
severity = "low"
about    = "Two records of functions of one owner."
*/
SELECT a.who AS first_who, b.who AS then_who, f.owner
FROM events a JOIN events b ON a.kind = b.kind AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '10 seconds' AND a.event_id <> b.event_id
JOIN functions f ON f.name = b.who
WHERE f.critical
