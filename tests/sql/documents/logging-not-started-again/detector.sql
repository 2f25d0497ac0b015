/*
title    = "Logging was not started again"
severity = "low"
about    = "It shows what is found."
*/
SELECT a.principal, a.event_time, a.request ->> 'name' AS trail
FROM cloudtrail a
WHERE a.event_name = 'StopLogging' AND a.error_code IS NULL
  AND NOT EXISTS (SELECT 1 FROM cloudtrail b
                  WHERE b.request ->> 'name' = a.request ->> 'name' AND b.event_name = 'StartLogging'
                    AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 hour')
