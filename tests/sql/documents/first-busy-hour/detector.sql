/*
title    = "First busy hour"
severity = "low"
about    = "A hundred calls in an hour for the first time in a week."
*/
SELECT principal, hour, calls
FROM (SELECT principal, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS calls
      FROM cloudtrail
      WHERE principal IS NOT NULL
      GROUP BY hour, principal
      HAVING count(*) >= 100)
QUALIFY first_seen(INTERVAL '7 days') OVER (PARTITION BY principal)
