/*
title    = "Each first with a second is found once"
severity = "low"
about    = "It shows what is found."
*/
SELECT a.event_id AS a FROM events a
WHERE a.kind = 'a' AND EXISTS (SELECT 1 FROM events b WHERE b.who = a.who AND b.n > a.n
  AND b.event_time BETWEEN a.event_time - INTERVAL '5 seconds' AND a.event_time + INTERVAL '5 seconds')
