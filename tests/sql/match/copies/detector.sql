/*
title    = "Copies"
severity = "low"
about    = "A match finds each record by its identity: copies are one finding."
*/
SELECT event_id, n FROM events WHERE kind = 'k'
