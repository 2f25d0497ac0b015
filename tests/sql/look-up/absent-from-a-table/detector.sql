/*
title    = "In no row"
severity = "low"
about    = "NOT EXISTS over a table, with a condition, and EXISTS inside OR."
*/
SELECT e.event_id, e.who FROM events e
WHERE NOT EXISTS (SELECT 1 FROM functions f WHERE f.name = e.who AND f.critical)
  AND (e.ok OR EXISTS (SELECT 1 FROM functions f WHERE f.name = e.who AND f.memory = 256))
