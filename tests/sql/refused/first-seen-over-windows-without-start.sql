/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT who, records FROM (SELECT who, count(*) AS records FROM events WHERE who IS NOT NULL GROUP BY tumble(event_time, INTERVAL '1 hour'), who)
QUALIFY first_seen(INTERVAL '1 day') OVER (PARTITION BY who)
