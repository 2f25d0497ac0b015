/*
title    = "Hopping"
severity = "low"
about    = "Each hopping window is a row of the range."
*/
SELECT start, total, least, most FROM (
  SELECT start, total, min(total) OVER before AS least, max(total) OVER before AS most
  FROM (SELECT hop(event_time, INTERVAL '20 minutes', INTERVAL '1 hour') AS start, sum(n) AS total FROM events GROUP BY hop(event_time, INTERVAL '20 minutes', INTERVAL '1 hour'))
  WINDOW before AS (ORDER BY start RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND INTERVAL '20 minutes' PRECEDING))
WHERE total > most
