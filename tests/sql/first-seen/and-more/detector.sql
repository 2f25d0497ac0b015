/*
title    = "And more"
severity = "low"
about    = "Together with other conditions it is one of them."
*/
SELECT event_id, records FROM (SELECT *, count(*) OVER (PARTITION BY who ORDER BY event_time RANGE INTERVAL '1 minute' PRECEDING) AS records FROM events)
QUALIFY first_seen(INTERVAL '1 minute') OVER (PARTITION BY who) AND records >= 2
