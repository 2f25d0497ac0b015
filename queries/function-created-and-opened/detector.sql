/*
title     = "New function opened to the world"
severity  = "high"
attack    = ["T1648", "T1098"]
about     = "A function was created, and within an hour everyone could call it: a permission for all, or a URL that asks for no authentication. A back door that runs in the account."
noise     = "A web hook that is set up by hand."
response  = "Read the function's code and its role's permissions. If nobody knows it, delete both, and see what else its maker did, and who called it since."
suppress  = "1 hour"
*/
SELECT made.request ->> 'functionName' AS function_name, made.request ->> 'role' AS role, opened.action AS opened_by,
       opened.principal, opened.session_name, opened.source_ip, opened.account_id, opened.region,
       made.event_time AS made_at, opened.event_time AS opened_at
FROM cloudtrail made JOIN cloudtrail opened
  ON made.account_id = opened.account_id AND made.region = opened.region
 AND made.request ->> 'functionName' = opened.request ->> 'functionName'
 AND opened.event_time BETWEEN made.event_time AND made.event_time + INTERVAL '1 hour'
WHERE made.event_source = 'lambda.amazonaws.com' AND made.action = 'CreateFunction' AND made.error_code IS NULL
  AND opened.event_source = 'lambda.amazonaws.com' AND opened.error_code IS NULL
  AND ((opened.action = 'AddPermission' AND opened.request ->> 'principal' = '*'
        AND coalesce(opened.request ->> 'principalOrgID', opened.request ->> 'principalOrgId') IS NULL)
       OR (opened.action IN ('CreateFunctionUrlConfig', 'UpdateFunctionUrlConfig') AND opened.request ->> 'authType' = 'NONE'))
