/*
title    = "Partitions"
severity = "low"
about    = "Each partition has a watermark of its own: what is late in one is not in another."
*/
SELECT event_id, _partition, _watermark FROM events QUALIFY count(*) OVER (ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) >= 1
