/*
title    = "A slow start"
severity = "low"
about    = "How long a function took is in the report at its end, not in the record of its start."
*/
SELECT function_name, duration_ms, event_time
FROM lambda
WHERE type = 'platform.start' AND duration_ms > 1000
