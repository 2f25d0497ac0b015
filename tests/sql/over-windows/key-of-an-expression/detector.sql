/*
title    = "A key of an expression"
severity = "low"
about    = "The range's key is made of the windows' keys."
*/
SELECT who, hour, records, alike FROM (
  SELECT *, sum(records) OVER (PARTITION BY lower(who) ORDER BY hour RANGE INTERVAL '1 hour' PRECEDING) AS alike
  FROM (SELECT who, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events GROUP BY hour, who))
WHERE alike >= 4
