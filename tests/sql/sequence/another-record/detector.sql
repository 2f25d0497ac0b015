/*
title    = "A record is not joined with itself where ids must differ"
severity = "low"
about    = "It shows what is found."
*/
SELECT a.event_id AS first, b.event_id AS second
FROM events a JOIN events b ON a.who = b.who AND a.event_id <> b.event_id
  AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 second'
