/*
title     = "Function opened to outside"
severity  = "high"
attack    = ["T1098", "T1648"]
about     = "A function or layer may now be used by everyone or by another account, or has a URL that asks for no authentication. Permissions limited to an organization are left out."
noise     = "Web hooks that are public by design; accounts of the same organization that are granted one by one."
response  = "See whose account it is. If it is nobody's you know, remove the statement (RemovePermission) or the URL, and look for invocations since."
key       = ["account_id", "function_name"]
suppress  = "1 hour"
*/
SELECT action, coalesce(request ->> 'functionName', request ->> 'layerName') AS function_name,
       coalesce(request ->> 'principal', 'URL without authentication') AS opened_to,
       principal, session_name, source_ip, account_id, region, event_time, user_agent
FROM cloudtrail
WHERE event_source = 'lambda.amazonaws.com' AND error_code IS NULL
  AND ((action IN ('AddPermission', 'AddLayerVersionPermission')
        AND coalesce(request ->> 'principalOrgID', request ->> 'principalOrgId', request ->> 'organizationId') IS NULL
        AND (request ->> 'principal' = '*'
             OR ((request ->> 'principal') ~ '^[0-9]{12}$' AND request ->> 'principal' <> account_id)
             OR ((request ->> 'principal') LIKE 'arn:%' AND split_part(request ->> 'principal', ':', 5) <> account_id)))
       OR (action IN ('CreateFunctionUrlConfig', 'UpdateFunctionUrlConfig') AND request ->> 'authType' = 'NONE'))
