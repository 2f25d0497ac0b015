/*
title    = "Keys of expressions"
severity = "low"
about    = "Keys may be expressions; NULL is a key of its own."
*/
SELECT upper(who) AS key, n > 4 AS large, count(*) AS records FROM events GROUP BY tumble(event_time, INTERVAL '1 hour'), upper(who), n > 4
