/*
title     = "Credentials created for another user"
severity  = "medium"
attack    = ["T1098.001", "T1136.003"]
about     = "A principal made an access key, a console password or another credential for an IAM user other than itself."
noise     = "Administrators who take people on or reset a password; infrastructure code that makes service users."
response  = "Ask the user named in `for_user` whether they wanted it. If not: deactivate the key or delete the login profile, then look at what the new credential and its maker did."
key       = ["principal"]
suppress  = "1 hour"
*/
SELECT event_name, request ->> 'userName' AS for_user, principal, session_name, source_ip, account_id, region, event_time, user_agent,
       coalesce(response -> 'accessKey' ->> 'accessKeyId',
                response -> 'serviceSpecificCredential' ->> 'serviceSpecificCredentialId') AS new_credential
FROM cloudtrail
WHERE event_name IN ('CreateAccessKey', 'CreateLoginProfile', 'UpdateLoginProfile', 'CreateServiceSpecificCredential',
                     'ResetServiceSpecificCredential', 'UploadSigningCertificate', 'UploadSSHPublicKey')
  AND event_source = 'iam.amazonaws.com' AND error_code IS NULL AND invoked_by IS NULL
  AND request ->> 'userName' IS NOT NULL
  AND (coalesce(user_type, '') <> 'IAMUser' OR request ->> 'userName' <> user_name)
