/*
title    = "Edges"
severity = "low"
about    = "A range of ten seconds has both its ends: a record ten seconds before counts, one earlier does not."
*/
SELECT event_id, count(*) OVER w AS records, count(n) OVER w AS numbers FROM events
WINDOW w AS (PARTITION BY who ORDER BY event_time RANGE INTERVAL '10 seconds' PRECEDING)
QUALIFY records >= 1
