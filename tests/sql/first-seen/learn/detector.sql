/*
title    = "Learn"
severity = "low"
about    = "Records before the least event time and what it learns for are remembered, and are no findings."
learn    = "60s"
*/
SELECT event_id, who FROM events QUALIFY first_seen(INTERVAL '1 hour') OVER (PARTITION BY who)
