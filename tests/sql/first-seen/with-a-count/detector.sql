/*
title    = "With a count"
severity = "low"
about    = "First seen, and something else of the same keys: here an hour with three records before."
*/
SELECT who, event_time, before FROM (
  SELECT *, count(*) OVER (PARTITION BY who ORDER BY event_time RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND INTERVAL '5 minutes' PRECEDING) AS before
  FROM events)
QUALIFY first_seen(INTERVAL '5 minutes') OVER (PARTITION BY who) AND before BETWEEN 1 AND 3
