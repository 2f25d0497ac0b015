/*
title    = "Baseline"
severity = "low"
about    = "An hour with more than three times what is usual in the day before it: divided by hours, as one without records has no row."
*/
SELECT who, hour, records, usual FROM (
  SELECT who, hour, records, sum(records) OVER (PARTITION BY who ORDER BY hour
    RANGE BETWEEN INTERVAL '24 hours' PRECEDING AND INTERVAL '1 hour' PRECEDING) AS usual
  FROM (SELECT who, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS records FROM events GROUP BY hour, who))
WHERE records >= 3 AND records > 3 * usual / 24.0
