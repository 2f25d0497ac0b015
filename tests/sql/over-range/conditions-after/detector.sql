/*
title    = "Conditions after"
severity = "low"
about    = "Conditions after the range look at aggregates, at the row, and at both."
*/
SELECT event_id, n, usual FROM (SELECT *, avg(n) OVER w AS usual, count(*) OVER w AS records FROM events
  WHERE n IS NOT NULL WINDOW w AS (PARTITION BY who ORDER BY event_time RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND INTERVAL '1 microsecond' PRECEDING)) AS t
WHERE (n > usual * 2 AND records >= 2) OR (kind = 'always' AND usual IS NULL)
