/*
title    = "Copies"
severity = "low"
about    = "A copy counts once, whatever of it differs beside its identity; the one taken in first stands."
*/
SELECT event_id, n, count(*) OVER w AS records, sum(n) OVER w AS total FROM events WHERE kind = 'k'
WINDOW w AS (ORDER BY event_time RANGE INTERVAL '1 minute' PRECEDING) QUALIFY records >= 1
