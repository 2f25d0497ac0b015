/*
title    = "Without keys"
severity = "low"
about    = "The window alone."
*/
SELECT tumble(event_time, INTERVAL '1 minute') AS start, count(*) AS records FROM events GROUP BY start HAVING count(*) > 1
