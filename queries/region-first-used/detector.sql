/*
title     = "Region used for the first time"
severity  = "medium"
attack    = ["T1535"]
about     = "The account's first call in thirty days that sets up computing in a region: regions that nobody watches are where stolen accounts mine. Refused calls count. Pipelines may open a region; services acting for someone may too."
noise     = "A planned move into a new region that somebody starts by hand; the first day on which this detector sees an account."
response  = "Ask who wanted something in this region. If nobody: list all that runs there and in the other regions, stop it, deactivate the key, and deny unused regions by an organization policy."
suppress  = "1 day"
*/
SELECT account_id, region, principal, session_name, source_ip, event_time, user_agent, access_key_id, event_name, error_code
FROM cloudtrail
WHERE action IN ('RunInstances', 'RequestSpotInstances', 'RequestSpotFleet', 'CreateFleet', 'StartInstances', 'CreateInstances',
                 'CreateAutoScalingGroup', 'CreateCluster', 'CreateService', 'RunTask', 'CreateFunction', 'UpdateFunctionCode',
                 'SubmitJob', 'RunJobFlow', 'CreateDBInstance', 'CreateNotebookInstance', 'CreateTrainingJob', 'CreateStack')
  AND account_id IS NOT NULL AND region IS NOT NULL
QUALIFY first_seen(INTERVAL '30 days') OVER (PARTITION BY account_id, region)
    -- What exists already can be started or changed: that counts as use, but is no beginning.
    AND action NOT IN ('StartInstances', 'UpdateFunctionCode')
    AND invoked_by IS NULL AND coalesce(user_type, '') <> 'AWSService'
    AND principal !~* 'deploy|pipeline|codebuild|cloudformation|terraform|pulumi|github|gitlab|jenkins|circleci|buildkite|bitbucket|[/_-](ci|cd|cicd)([_-]|$)'
