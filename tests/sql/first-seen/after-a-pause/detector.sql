/*
title    = "After a pause"
severity = "low"
about    = "The first of its key, and the first after a pause longer than the while."
*/
SELECT event_id, who, event_time FROM events QUALIFY first_seen(INTERVAL '10 seconds') OVER (PARTITION BY who)
