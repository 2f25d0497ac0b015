/*
title    = "Hopping"
severity = "low"
about    = "A record is in each window that it lies in."
*/
SELECT hop(event_time, INTERVAL '1 minute', INTERVAL '3 minutes') AS start, window_end(hop(event_time, INTERVAL '1 minute', INTERVAL '3 minutes')) AS stop, count(*) AS records, sum(n) AS total
FROM events WHERE who = 'a' GROUP BY hop(event_time, INTERVAL '1 minute', INTERVAL '3 minutes')
