/*
title    = "Times"
severity = "low"
about    = "Times: their parts, their distance, comparisons with literals."
*/
SELECT event_id, event_time, event_time + INTERVAL '1 day 2 hours' AS later, event_time - INTERVAL '90 seconds' AS earlier, date_trunc('hour', event_time) AS hour,
       extract(hour FROM event_time) AS h, date_part('dow', event_time) AS weekday, date_bin(INTERVAL '15 minutes', event_time, TIMESTAMP '2026-01-01 00:00:00') AS quarter,
       event_time + INTERVAL '200000000 days' AS beyond
FROM events WHERE event_time >= TIMESTAMP '2026-01-01 00:00:10' AND event_time < '2026-01-02'::timestamp - INTERVAL '1 hour'
