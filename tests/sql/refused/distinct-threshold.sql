/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT who FROM events WHERE who IS NOT NULL
GROUP BY tumble(event_time, INTERVAL '1 hour'), who
HAVING count(DISTINCT kind) > 250000
