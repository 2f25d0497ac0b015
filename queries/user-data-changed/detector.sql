/*
title     = "Start script of an instance changed"
severity  = "high"
attack    = ["T1059", "T1578"]
about     = "The user data of an existing instance was replaced. It can be made to run as root at the next start, so this is a way to run commands without logging in. New instances get theirs when they are launched, not this way."
noise     = "Configuration management of hand-kept instances."
response  = "Read the new user data before the instance is started again; if it was started already, treat the instance as taken over: isolate it, keep its disk, revoke its role's sessions."
key       = ["account_id", "instance_id"]
suppress  = "1 hour"
*/
SELECT request ->> 'instanceId' AS instance_id, principal, session_name, source_ip, account_id, region, event_time, user_agent, error_code
FROM cloudtrail
WHERE event_name = 'ModifyInstanceAttribute' AND event_source = 'ec2.amazonaws.com'
  AND (error_code IS NULL OR error_code LIKE '%UnauthorizedOperation%')
  AND (request ->> 'userData' <> '{}' OR request ->> 'attribute' = 'userData')
