/*
title     = "Windows administrator passwords requested"
severity  = "high"
attack    = ["T1552.005"]
about     = "One principal asked for the initial administrator password of five different instances within ten minutes, whether it got them or not."
noise     = "An administrator who sets up a batch of Windows hosts by hand."
response  = "Ask the principal's owner. If it was not them: revoke the sessions, change the administrator passwords of the instances named, and look for remote-desktop connections to them since."
suppress  = "1 hour"
*/
SELECT principal, session_name, source_ip, account_id, region, event_time, user_agent, access_key_id, error_code,
       request ->> 'instanceId' AS last_instance,
       count(DISTINCT request ->> 'instanceId') OVER ten_minutes AS instances
FROM cloudtrail
WHERE event_name = 'GetPasswordData' AND principal IS NOT NULL
WINDOW ten_minutes AS (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '10 minutes' PRECEDING)
QUALIFY instances >= 5
