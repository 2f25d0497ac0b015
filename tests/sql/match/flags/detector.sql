/*
title    = "Flags"
severity = "low"
about    = "What was noticed hangs on the record, not on what else is read of it."
*/
SELECT event_id, _flags FROM events WHERE _flags <> ''
