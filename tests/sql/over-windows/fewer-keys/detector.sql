/*
title    = "Fewer keys"
severity = "low"
about    = "The range has some of the windows' keys: its rows are all kinds of one who."
*/
SELECT who, kind, hour, records, of_all, kinds FROM (
  SELECT *, sum(records) OVER (PARTITION BY who ORDER BY hour RANGE INTERVAL '2 hours' PRECEDING) AS of_all,
         count(DISTINCT kind) OVER (PARTITION BY who ORDER BY hour RANGE INTERVAL '2 hours' PRECEDING) AS kinds
  FROM (SELECT who, kind, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events GROUP BY hour, who, kind))
WHERE kinds >= 2
