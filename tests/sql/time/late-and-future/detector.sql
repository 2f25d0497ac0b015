/*
title    = "Late and future"
severity = "low"
about    = "Detectors with state look at accepted records: not before the partition's watermark, not beyond the broker's time and the skew."
*/
SELECT count(*) AS records, sum(n) AS which FROM events GROUP BY tumble(event_time, INTERVAL '1 hour')
