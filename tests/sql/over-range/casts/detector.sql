/*
title    = "Casts"
severity = "low"
about    = "Aggregates over ranges that differ in a cast alone are different ones."
*/
SELECT event_time, as_text, as_number, as_float FROM (
    SELECT *, max(who) OVER last_minute AS as_text, max(CAST(who AS BIGINT)) OVER last_minute AS as_number, max(CAST(who AS DOUBLE PRECISION)) OVER last_minute AS as_float
    FROM events WINDOW last_minute AS (ORDER BY event_time RANGE INTERVAL '1 minute' PRECEDING))
WHERE as_number > 9
