/*
title    = "Keys of expressions"
severity = "low"
about    = "Keys may be expressions; NULL is a key of its own."
*/
SELECT event_id, lower(who) AS who, count(*) OVER (PARTITION BY lower(who), n / 10 ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING) AS records
FROM events QUALIFY records >= 2
