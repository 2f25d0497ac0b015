/*
title    = "Out of order"
severity = "low"
about    = "The order of intake does not matter within the lateness."
*/
SELECT event_id, event_time FROM events QUALIFY first_seen(INTERVAL '1 hour') OVER (PARTITION BY who)
