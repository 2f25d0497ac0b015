/*
title    = "With clause"
severity = "low"
about    = "The windows may be named by WITH, and their start passed on under another name."
*/
WITH hours AS (SELECT who, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) FILTER (WHERE ok) AS fine, count(*) AS records FROM events GROUP BY hour, who),
     better AS (SELECT hours.who, hours.hour AS at, records - fine AS failed FROM hours WHERE records > 1)
SELECT who, at, failed FROM better
QUALIFY failed > 0 AND coalesce(sum(failed) OVER (PARTITION BY who ORDER BY at RANGE BETWEEN INTERVAL '3 hours' PRECEDING AND INTERVAL '1 second' PRECEDING), 0) = 0
