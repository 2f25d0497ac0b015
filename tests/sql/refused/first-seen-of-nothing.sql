/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM events QUALIFY first_seen(INTERVAL '1 day') OVER ()
