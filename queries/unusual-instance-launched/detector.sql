/*
title     = "Unusually large instance launched"
severity  = "medium"
attack    = ["T1578.002", "T1496"]
about     = "Somebody launched, or tried to launch, a machine with accelerators or of the very largest sizes: what miners and password crackers want. Machines that services launch for someone are left out."
noise     = "Machine-learning and rendering teams: take their roles out by name."
response  = "Ask who wanted the machine. If nobody: terminate it, look for more in other regions, deactivate the key that was used, and look at the account's limits and bill."
key       = ["principal"]
suppress  = "1 hour"
*/
SELECT instance_type, principal, session_name, source_ip, account_id, region, event_time, user_agent, access_key_id, event_name, error_code,
       request -> 'instancesSet' -> 'items' -> 0 ->> 'maxCount' AS wanted
FROM (SELECT *, coalesce(request -> 'instanceType' ->> 'value', request -> 'launchSpecification' ->> 'instanceType', request ->> 'instanceType') AS instance_type
      FROM cloudtrail
      WHERE event_name IN ('RunInstances', 'RequestSpotInstances', 'ModifyInstanceAttribute', 'CreateNotebookInstance') AND invoked_by IS NULL)
WHERE instance_type ~ '^(ml\.)?(p[0-9]|g[0-9]|gr[0-9]|trn|inf|dl[0-9]|vt[0-9]|f[12]|hpc|u-|u[0-9])[a-z0-9-]*\.'
   OR instance_type ~ '\.((1[6-9]|[2-9][0-9]|[0-9]{3})xlarge|metal)'
