/*
title    = "Less than usual"
severity = "low"
about    = "A source says less than half of what it said in the windows before."
*/
SELECT source, start, n, before / 2.0 AS usual
FROM (SELECT source, start, n, sum(n) OVER (PARTITION BY source ORDER BY start
                                            RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND INTERVAL '5 minutes' PRECEDING) AS before
      FROM (SELECT source, tumble(event_time, INTERVAL '5 minutes') AS start, sum(records) AS n
            FROM activity WHERE observed GROUP BY start, source))
WHERE n < before / 4.0
