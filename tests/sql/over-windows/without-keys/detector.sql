/*
title    = "Without keys"
severity = "low"
about    = "All windows are of one range."
*/
SELECT start, calls, before
FROM (SELECT start, calls, sum(calls) OVER (ORDER BY start RANGE BETWEEN INTERVAL '24 hours' PRECEDING AND INTERVAL '1 hour' PRECEDING) / 24.0 AS before
      FROM (SELECT tumble(event_time, INTERVAL '1 hour') AS start, count(*) AS calls FROM events GROUP BY tumble(event_time, INTERVAL '1 hour')) AS hours) AS t
WHERE calls > before * 3
