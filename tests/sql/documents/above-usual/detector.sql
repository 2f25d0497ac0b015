/*
title    = "Above the usual"
severity = "low"
about    = "Denied calls of an hour, three times those of an hour of the day before."
*/
SELECT principal, hour, calls, before / 24.0 AS usual
FROM (SELECT principal, hour, calls,
             sum(calls) OVER (PARTITION BY principal ORDER BY hour
                              RANGE BETWEEN INTERVAL '24 hours' PRECEDING AND INTERVAL '1 hour' PRECEDING) AS before
      FROM (SELECT principal, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS calls
            FROM cloudtrail
            WHERE error_code = 'AccessDenied' AND principal IS NOT NULL
            GROUP BY hour, principal))
WHERE calls > 10 AND calls > 3 * before / 24.0
