/*
title    = "Hop as long as the window"
severity = "low"
about    = "Then they tumble."
*/
SELECT hop(event_time, INTERVAL '1 minute', INTERVAL '1 minute') AS start, count(*) AS records FROM events
GROUP BY hop(event_time, INTERVAL '1 minute', INTERVAL '1 minute') HAVING count(*) >= 2
