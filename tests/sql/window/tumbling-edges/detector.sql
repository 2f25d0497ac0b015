/*
title    = "Tumbling edges"
severity = "low"
about    = "Windows align to the epoch: a record at an edge is in the later one."
*/
SELECT tumble(event_time, INTERVAL '1 minute') AS start, window_end(tumble(event_time, INTERVAL '1 minute')) AS stop, who, count(*) AS records
FROM events GROUP BY tumble(event_time, INTERVAL '1 minute'), who
