/*
title    = "Nobody pushes time"
severity = "low"
about    = "An event time ahead of the broker's does not move the watermark beyond it."
*/
SELECT event_id FROM events QUALIFY count(*) OVER (ORDER BY event_time RANGE INTERVAL '1 day' PRECEDING) >= 1
