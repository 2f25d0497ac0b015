/*
title     = "Federation token issued"
severity  = "medium"
attack    = ["T1098", "T1550.001"]
about     = "An IAM user's long-lived key was exchanged for a federation token. Its sessions live for up to 36 hours, also after the key is deactivated, and can be turned into a console sign-in."
noise     = "Home-made single sign-on that hands out console sessions: take its user out by name."
response  = "If the user's owner does not know of it, deactivating the key is not enough: attach a policy to the user that denies everything to sessions issued before now, then read what federated-user did."
key       = ["principal"]
suppress  = "1 day"
*/
SELECT principal, request ->> 'name' AS federated_name, source_ip, account_id, region, event_time, user_agent, access_key_id,
       response -> 'credentials' ->> 'accessKeyId' AS new_access_key_id, response -> 'credentials' ->> 'expiration' AS expires,
       request ->> 'policy' AS session_policy
FROM cloudtrail
WHERE event_name = 'GetFederationToken' AND event_source = 'sts.amazonaws.com' AND error_code IS NULL
