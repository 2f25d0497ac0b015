/*
title     = "Audit logging stopped and not started again"
severity  = "critical"
attack    = ["T1562.008"]
about     = "A trail was stopped, and nobody started it again within an hour. What was done since is not in it."
noise     = "A trail that is retired on purpose, and deleted later."
response  = "Start the logging again. Then read what its stopper did before, and what the organization's trail, or another account's, has of the time since."
suppress  = "1 day"
*/
SELECT a.principal, a.session_name, a.source_ip, a.account_id, a.region, a.event_time, a.user_agent,
       regexp_replace(a.request ->> 'name', '^.*/', '') AS trail
FROM cloudtrail a
WHERE a.event_source = 'cloudtrail.amazonaws.com' AND a.event_name = 'StopLogging' AND a.error_code IS NULL
  -- A trail goes by its name or by its ARN.
  AND NOT EXISTS (SELECT 1 FROM cloudtrail b
                  WHERE b.account_id = a.account_id
                    AND regexp_replace(b.request ->> 'name', '^.*/', '') = regexp_replace(a.request ->> 'name', '^.*/', '')
                    AND b.event_source = 'cloudtrail.amazonaws.com' AND b.event_name = 'StartLogging' AND b.error_code IS NULL
                    AND b.event_time BETWEEN a.event_time AND a.event_time + INTERVAL '1 hour')
