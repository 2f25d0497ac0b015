/*
title    = "Where wants true"
severity = "low"
about    = "A WHERE that is NULL does not let a record pass, nor does its negation."
*/
SELECT event_id FROM events WHERE NOT (n > 0) OR NOT ok
