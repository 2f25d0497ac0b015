/*
title    = "Account in use again"
severity = "low"
about    = "An account that did nothing for an hour does something."
*/
SELECT source, event_time, records FROM activity
WHERE kind = 'account' AND records > 0
QUALIFY first_seen(INTERVAL '1 hour') OVER (PARTITION BY source)
