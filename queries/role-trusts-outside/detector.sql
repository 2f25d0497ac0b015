/*
title     = "Role trusts an outside account"
severity  = "high"
attack    = ["T1098", "T1199"]
about     = "A role may now be assumed from another account or by anyone, or a new identity provider or trust anchor lets identities from elsewhere in. Trust limited to an organization is left out."
noise     = "Connecting a vendor's monitoring account; roles across one's own accounts that do not name the organization."
response  = "Find out whose account `trust_policy` names. If it is nobody's you know, put the former policy back, then look for AssumeRole of this role from outside and for what its sessions did."
key       = ["account_id", "target"]
suppress  = "1 hour"
*/
SELECT event_name, coalesce(request ->> 'roleName', request ->> 'name', request ->> 'url') AS target,
       principal, session_name, source_ip, account_id, region, event_time, user_agent, trust_policy
FROM (SELECT *,
             -- The own account's number taken out: what numbers are left are others'.
             replace(trust_policy, account_id, 'own') AS trust
      FROM (SELECT *, regexp_replace(coalesce(request ->> 'policyDocument', request ->> 'assumeRolePolicyDocument'), '\s', '', 'g') AS trust_policy
            FROM cloudtrail
            WHERE event_name IN ('UpdateAssumeRolePolicy', 'CreateRole', 'CreateTrustAnchor', 'CreateSAMLProvider', 'CreateOpenIDConnectProvider')
              AND event_source IN ('iam.amazonaws.com', 'rolesanywhere.amazonaws.com')
              AND error_code IS NULL AND invoked_by IS NULL))
WHERE event_name IN ('CreateTrustAnchor', 'CreateSAMLProvider', 'CreateOpenIDConnectProvider')
   OR (trust NOT LIKE '%aws:PrincipalOrg%'
       AND (trust ~ '"Effect":"Allow"[^{}]*"Principal":("\*"|\{[^{}]*"AWS":(\[[^\]]*)?"(\*"|[0-9]{12}"|arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:))'
            OR trust ~ '"Principal":("\*"|\{[^{}]*"AWS":(\[[^\]]*)?"(\*"|[0-9]{12}"|arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:)[^{}]*\})[^{}]*"Effect":"Allow"'))
