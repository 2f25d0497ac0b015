/*
title    = "NULL joins nothing, and its absence is found"
severity = "low"
about    = "It shows what is found."
*/
SELECT a.event_id AS a FROM events a
WHERE a.kind = 'a' AND NOT EXISTS (SELECT 1 FROM events b WHERE b.who = a.who AND b.kind = 'b'
  AND b.event_time >= a.event_time AND b.event_time < a.event_time + INTERVAL '10 seconds')
