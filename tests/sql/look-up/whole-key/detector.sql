/*
title    = "A key of two columns"
severity = "low"
about    = "A table is looked up by its whole key; a literal may be part of it."
*/
SELECT e.event_id, a.by ->> 'ticket' AS ticket
FROM events e JOIN approved a ON a.region = e.kind AND a.account = e.n
WHERE EXISTS (SELECT 1 FROM approved b WHERE b.account = 7 AND b.region = e.kind)
