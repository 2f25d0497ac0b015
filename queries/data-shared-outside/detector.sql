/*
title     = "Data shared outside the account"
severity  = "high"
attack    = ["T1537", "T1530"]
about     = "A disk or database snapshot, a machine image, a bucket, a secret, a key or a container repository was opened to another account or to everyone."
noise     = "Backups copied to a vault account, images shared with one's other accounts, web sites served from a bucket."
response  = "Find out whose account it is. If it is nobody's you know, take the grant back at once, then list what the resource holds: assume it was copied."
key       = ["account_id", "principal"]
suppress  = "1 hour"
*/
SELECT event_name,
       coalesce(request ->> 'snapshotId', request ->> 'imageId', request ->> 'dBSnapshotIdentifier', request ->> 'dBClusterSnapshotIdentifier',
                request ->> 'snapshotIdentifier', request ->> 'bucketName', request ->> 'secretId', request ->> 'repositoryName', request ->> 'keyId') AS resource,
       coalesce(given, request ->> 'accountWithRestoreAccess', document, request ->> 'x-amz-acl', 'everyone') AS shared_with,
       principal, session_name, source_ip, account_id, region, event_time, user_agent
FROM (SELECT *,
             -- The own account's number taken out: what numbers are left are others'.
             replace(given, account_id, 'own') AS shared,
             replace(document, account_id, 'own') AS policy
      FROM (SELECT *,
                   coalesce(request -> 'createVolumePermission' ->> 'add', request -> 'launchPermission' ->> 'add', request ->> 'valuesToAdd') AS given,
                   regexp_replace(coalesce(request ->> 'bucketPolicy', request ->> 'resourcePolicy', request ->> 'policyText', request ->> 'policy'), '\s', '', 'g') AS document
            FROM cloudtrail
            WHERE event_name IN ('ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute', 'ModifyDBClusterSnapshotAttribute',
                                 'AuthorizeSnapshotAccess', 'PutBucketPolicy', 'PutBucketAcl', 'PutObjectAcl', 'PutResourcePolicy', 'SetRepositoryPolicy', 'PutKeyPolicy')
              AND error_code IS NULL AND invoked_by IS NULL))
WHERE shared ~ '"[0-9]{12}"|"all"'
   OR request ->> 'accountWithRestoreAccess' <> account_id
   OR (request ->> 'x-amz-acl') LIKE '%public-read%'
   OR (request ->> 'AccessControlPolicy') ~ '/groups/global/(AllUsers|AuthenticatedUsers)'
   -- Another account, with or without a condition. Services deliver their logs into buckets from accounts of their own: writing alone shares nothing.
   OR ((policy ~ '"Effect":"Allow"[^{}]*"Principal":\{[^{}]*"AWS":(\[[^\]]*)?"([0-9]{12}"|arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:)'
        OR policy ~ '"Principal":\{[^{}]*"AWS":(\[[^\]]*)?"([0-9]{12}"|arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:)[^{}]*\}[^{}]*"Effect":"Allow"')
       AND (event_name <> 'PutBucketPolicy' OR policy ~ '"(s3:(Get|List|\*)[^"]*|\*)"'))
   -- Everyone, without any condition.
   OR policy ~ '\{[^{}]*"Effect":"Allow"[^{}]*"Principal":("\*"|\{"AWS":\[?"\*"\]?\})[^{}]*\}'
   OR policy ~ '\{[^{}]*"Principal":("\*"|\{"AWS":\[?"\*"\]?\})[^{}]*"Effect":"Allow"[^{}]*\}'
