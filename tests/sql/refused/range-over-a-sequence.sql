/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT who, event_time FROM (
  SELECT a.who, b.event_time FROM events a JOIN events b ON a.who = b.who AND a.event_id <> b.event_id
    AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 hour')
QUALIFY count(*) OVER (PARTITION BY who ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) >= 5
