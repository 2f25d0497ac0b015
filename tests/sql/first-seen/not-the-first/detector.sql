/*
title    = "Not the first"
severity = "low"
about    = "The negation: all but the first ones."
*/
SELECT event_id, who FROM events QUALIFY NOT first_seen(INTERVAL '10 seconds') OVER (PARTITION BY who)
