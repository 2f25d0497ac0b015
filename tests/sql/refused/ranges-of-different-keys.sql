/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events WHERE who <> '' AND kind <> ''
QUALIFY count(*) OVER (PARTITION BY who ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) > 2
  AND count(*) OVER (PARTITION BY kind ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) > 2
