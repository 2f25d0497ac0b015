/*
title    = "Ties"
severity = "low"
about    = "Several first ones of one time are one finding: that of the least event id."
*/
SELECT event_id, kind FROM events QUALIFY first_seen(INTERVAL '1 day') OVER (PARTITION BY who)
