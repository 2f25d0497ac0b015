/*
title    = "Distinct from"
severity = "low"
about    = "IS DISTINCT FROM takes NULL for a value."
*/
SELECT event_id, (who IS DISTINCT FROM kind) AS differ, (who IS NOT DISTINCT FROM kind) AS alike, who = kind AS equal
FROM events WHERE (n IS NOT DISTINCT FROM NULL)
