/*
title    = "Negated"
severity = "low"
about    = "What is not known stays so when it is negated."
*/
SELECT event_id FROM events WHERE NOT ok AND NOT starts_with(who, 'a')
