/*
title     = "Function code changed by hand"
severity  = "high"
attack    = ["T1574", "T1648"]
about     = "A person, not a pipeline, put other code into a function or laid a layer over it. A person is an IAM user, root, a federated user, a single-sign-on role, a session named after a mail address or left with the command line's default name, or anyone at the console."
noise     = "Developers who deploy from their own machine, in accounts where that is allowed."
response  = "Compare the function's code hash with the last deployment, and look at what its role may do: the new code has all of that. If nobody can explain it, publish the known version again and revoke the principal's sessions."
key       = ["principal"]
suppress  = "1 hour"
*/
SELECT principal, session_name, source_ip, account_id, region, event_time, user_agent, action,
       request ->> 'functionName' AS function_name, response ->> 'codeSha256' AS code_hash, response ->> 'role' AS function_role,
       request ->> 'layers' AS layers
FROM cloudtrail
WHERE event_source = 'lambda.amazonaws.com' AND error_code IS NULL AND invoked_by IS NULL
  AND ((action = 'UpdateFunctionCode' AND coalesce(request ->> 'dryRun', 'false') = 'false')
       OR (action = 'UpdateFunctionConfiguration' AND request ->> 'layers' <> '[]'))
  AND (user_agent ~* 'console\.amazonaws\.com|^Mozilla/'
       OR ((user_type IN ('IAMUser', 'Root', 'FederatedUser')
            OR principal LIKE '%AWSReservedSSO_%'
            OR session_name LIKE '%@%'
            OR session_name LIKE 'botocore-session-%')
           -- Principals that are named as pipelines are.
           AND principal !~* 'deploy|pipeline|codebuild|cloudformation|terraform|pulumi|github|gitlab|jenkins|circleci|buildkite|bitbucket|[/_-](ci|cd|cicd)([_-]|$)'))
