/*
title    = "Late records and copies"
severity = "low"
about    = "What is late counts in no window, and a copy once."
*/
SELECT start, records, before FROM (
  SELECT *, sum(records) OVER (ORDER BY start RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND INTERVAL '1 minute' PRECEDING) AS before
  FROM (SELECT tumble(event_time, INTERVAL '1 minute') AS start, count(*) AS records FROM events GROUP BY start))
