/*
title     = "Console sign-in without a second factor"
severity  = "medium"
attack    = ["T1078.004"]
about     = "An IAM user or the root user signed in to the console with a password alone. Federated users are left out: their second factor is checked elsewhere and never shows here."
noise     = "Users that are not yet enrolled; service accounts that should not have a password at all."
response  = "Ask the user whether it was them and from where. If not: delete the login profile, deactivate the access keys, read what the user did since. If so: enrol a device, and deny everything without one by policy."
key       = ["principal"]
suppress  = "1 day"
*/
SELECT principal, user_type, source_ip, account_id, region, event_time, user_agent
FROM cloudtrail
WHERE event_name = 'ConsoleLogin' AND response ->> 'ConsoleLogin' = 'Success'
  AND user_type IN ('IAMUser', 'Root') AND mfa_used = false
