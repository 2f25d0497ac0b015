/*
title    = "A key was made, then a trail deleted"
severity = "low"
about    = "It shows what is found."
*/
SELECT a.principal, a.event_time AS made, b.event_time AS used, b.request ->> 'name' AS trail
FROM cloudtrail a JOIN cloudtrail b
  ON a.principal = b.principal AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '10 minutes'
WHERE a.event_name = 'CreateAccessKey' AND b.event_name = 'DeleteTrail'
