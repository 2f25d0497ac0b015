/*
title     = "Root user used"
severity  = "high"
attack    = ["T1078.004"]
about     = "Somebody acted as the account's root user, which no policy of the account limits. Failed sign-ins and what services do on the account's behalf are left out."
noise     = "The few tasks that only root may do, such as closing the account or changing its support plan; these are planned, so somebody knows."
response  = "Find out who holds the root credentials and whether this was planned. If not: change the root password and its devices, delete root access keys, then read everything root did, and what was created meanwhile."
key       = ["account_id"]
suppress  = "1 hour"
*/
SELECT account_id, event_name, event_source, source_ip, region, event_time, user_agent, access_key_id, mfa_used, error_code
FROM cloudtrail
WHERE user_type = 'Root' AND invoked_by IS NULL
  AND coalesce(event_type, '') <> 'AwsServiceEvent'
  AND (event_name <> 'ConsoleLogin' OR response ->> 'ConsoleLogin' = 'Success')
