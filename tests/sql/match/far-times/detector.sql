/*
title    = "Far times"
severity = "low"
about    = "Years that nanoseconds do not reach are times all the same."
*/
SELECT event_id, CAST(kind AS TIMESTAMP) AS until, (event_time::bigint)::timestamp = event_time AS same
FROM events
WHERE kind::timestamp > event_time + INTERVAL '365 days' AND event_time < '9999-12-31' AND event_time < TIMESTAMP '9999-12-31 00:00:00'
