/*
title    = "Filters"
severity = "low"
about    = "FILTER takes records out of one aggregate; the row itself need not count."
*/
SELECT event_id, count(*) FILTER (WHERE kind = 'bad') OVER w AS bad, sum(n) FILTER (WHERE ok) OVER w AS ok_total, count(*) OVER w AS records
FROM events WINDOW w AS (PARTITION BY who ORDER BY event_time RANGE INTERVAL '1 minute' PRECEDING)
QUALIFY count(*) FILTER (WHERE kind = 'bad') OVER w >= 2
