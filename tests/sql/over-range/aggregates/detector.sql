/*
title    = "Aggregates"
severity = "low"
about    = "Each aggregate over one range; NULLs are left out, and over nothing they give NULL."
*/
SELECT event_id, sum(n) OVER w AS total, avg(n) OVER w AS mean, min(n) OVER w AS least, max(n) OVER w AS most, min(event_id) OVER w AS first_id,
       bool_and(n > 0) OVER w AS all_positive, bool_or(n > 5) OVER w AS one_above_five, max(event_time) OVER w AS latest
FROM events WINDOW w AS (PARTITION BY who ORDER BY event_time RANGE INTERVAL '10 seconds' PRECEDING) QUALIFY count(*) OVER w > 0
