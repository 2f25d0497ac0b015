/*
title    = "Late and future"
severity = "low"
about    = "A match judges every record: late ones and future ones too."
*/
SELECT event_id, event_time, _flags FROM events WHERE kind = 'k'
