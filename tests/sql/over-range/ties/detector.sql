/*
title    = "Ties"
severity = "low"
about    = "Records of one time see each other: RANGE treats ties alike."
*/
SELECT event_id, count(*) OVER (PARTITION BY who ORDER BY event_time RANGE INTERVAL '1 second' PRECEDING) AS records FROM events
QUALIFY records >= 3
