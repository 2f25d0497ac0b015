/*
title    = "Counted by what is looked up"
severity = "low"
about    = "A range by a column of a table."
*/
SELECT e.who, owner, event_time, calls
FROM (SELECT e.who, f.owner, e.event_time, count(*) OVER (PARTITION BY f.owner ORDER BY e.event_time RANGE INTERVAL '8 seconds' PRECEDING) AS calls
      FROM events e JOIN functions f ON f.name = e.who WHERE f.owner IS NOT NULL) e
WHERE calls >= 2
