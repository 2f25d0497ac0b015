/*
title    = "Casts"
severity = "low"
about    = "Aggregates that differ in a cast alone are different ones."
*/
SELECT max(who) AS as_text, max(CAST(who AS BIGINT)) AS as_number, max(CAST(who AS DOUBLE PRECISION)) AS as_float, count(CAST(who AS BIGINT)) AS numbers
FROM events GROUP BY tumble(event_time, INTERVAL '2 minutes') HAVING max(CAST(who AS BIGINT)) > 8 AND count(*) FILTER (WHERE ok) = 0
