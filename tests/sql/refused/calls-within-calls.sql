/*
title    = "Calls within calls"
severity = "low"
about    = "Each takes the parser twice as long as the one within."
*/
SELECT event_id FROM events WHERE lower(lower(lower(lower(lower(lower(lower(lower(lower(lower(lower(who))))))))))) = 'a'
