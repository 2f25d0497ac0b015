/*
title    = "Overflow in conditions"
severity = "low"
about    = "NULL where it overflows: such a record passes neither the condition nor its negation."
*/
SELECT event_id FROM events WHERE n + m > 0 OR NOT (n * m > 0)
