/*
title    = "First seen of several"
severity = "low"
about    = "Rows of one start are each a finding: they are told apart by the windows' keys."
*/
SELECT who, kind, hour FROM (SELECT who, kind, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events GROUP BY hour, who, kind)
QUALIFY first_seen(INTERVAL '1 day') OVER (PARTITION BY who)
