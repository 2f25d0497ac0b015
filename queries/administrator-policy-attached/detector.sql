/*
title     = "Administrator policy attached"
severity  = "high"
attack    = ["T1098.003"]
about     = "A user, group, role or permission set was given all rights: one of the provider's administrator policies, or a policy that allows every action (or every action on identities) on every resource."
noise     = "Setting up a new account or a deployment role; do that through one known role and take it out by name."
response  = "See who got the rights and whether they used them yet. If nobody can explain it, detach the policy, then look for what was created with it: users, keys, roles, trust."
key       = ["principal"]
suppress  = "1 hour"
*/
SELECT event_name,
       coalesce(request ->> 'userName', request ->> 'roleName', request ->> 'groupName', request ->> 'permissionSetArn', request ->> 'policyArn', request ->> 'policyName') AS given_to,
       coalesce(request ->> 'policyArn', request ->> 'managedPolicyArn', request ->> 'policyName') AS policy,
       principal, session_name, source_ip, account_id, region, event_time, user_agent
FROM (SELECT *, regexp_replace(request ->> 'policyDocument', '\s', '', 'g') AS document
      FROM cloudtrail
      WHERE event_name IN ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy', 'AttachManagedPolicyToPermissionSet',
                           'PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy', 'CreatePolicy', 'CreatePolicyVersion')
        AND error_code IS NULL AND invoked_by IS NULL)
WHERE coalesce(request ->> 'managedPolicyArn', request ->> 'policyArn') ~ ':aws:policy/(AdministratorAccess|IAMFullAccess)$'
   OR (document ~ '\{[^{}]*("Effect":"Allow"[^{}]*"Action":(\[[^\]]*)?"(\*|\*:\*|iam:\*)"|"Action":(\[[^\]]*)?"(\*|\*:\*|iam:\*)"[^{}]*"Effect":"Allow")'
       AND document ~ '"Resource":(\[[^\]]*)?"\*"')
