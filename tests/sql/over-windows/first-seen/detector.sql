/*
title    = "First seen"
severity = "low"
about    = "The first hour of a who with three records or more, in four hours."
*/
SELECT who, hour, records FROM (SELECT who, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events WHERE who IS NOT NULL GROUP BY hour, who HAVING count(*) >= 3)
QUALIFY first_seen(INTERVAL '4 hours') OVER (PARTITION BY who)
