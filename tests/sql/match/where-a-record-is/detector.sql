/*
title    = "Where a record is"
severity = "low"
about    = "The columns that every stream has."
*/
SELECT event_id, _topic, _partition, _offset, _index, _watermark, _flags FROM events WHERE n > 0
