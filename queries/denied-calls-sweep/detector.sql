/*
title     = "Many different calls denied"
severity  = "medium"
attack    = ["T1580", "T1526", "T1087.004"]
about     = "One user or session was refused ten different calls within ten minutes: somebody is trying out what stolen credentials may do."
noise     = "A person with few rights who clicks through the console; a new role whose policy is not finished."
response  = "Look at what the same session was allowed meanwhile. If the address or agent is new for it, revoke its sessions or deactivate its key, and find out where the credentials were kept."
suppress  = "1 hour"
*/
SELECT user_arn, principal, session_name, source_ip, account_id, region, event_time, user_agent, access_key_id,
       event_name AS last_call, error_code,
       count(DISTINCT event_name) OVER ten_minutes AS calls
FROM cloudtrail
WHERE error_code ~ 'AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|Forbidden'
  AND invoked_by IS NULL AND coalesce(user_type, '') <> 'AWSService' AND user_arn IS NOT NULL
WINDOW ten_minutes AS (PARTITION BY user_arn ORDER BY event_time RANGE INTERVAL '10 minutes' PRECEDING)
QUALIFY calls >= 10
