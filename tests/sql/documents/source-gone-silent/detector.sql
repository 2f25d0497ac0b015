/*
title    = "Function gone silent"
severity = "medium"
about    = "A function that should log has logged nothing for a quarter of an hour."
suppress = "1 hour"
*/
SELECT source, event_time, records_before
FROM (SELECT *, sum(records) OVER quarter AS records_before, count(*) OVER quarter AS minutes
      FROM activity
      WHERE stream = 'lambda' AND kind = 'function' AND observed
      WINDOW quarter AS (PARTITION BY source ORDER BY event_time RANGE INTERVAL '14 minutes' PRECEDING))
WHERE records_before = 0 AND minutes = 15
