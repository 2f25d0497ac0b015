/*
title    = "A look-up of a look-up"
severity = "low"
about    = "The key of the second table is a column of the first."
*/
SELECT e.event_id, f.owner, g.owner AS of_owner
FROM events e JOIN functions f ON f.name = e.who LEFT JOIN functions g ON g.name = lower(f.owner)
