/*
title     = "Secrets read in bulk"
severity  = "high"
attack    = ["T1555.006", "T1552"]
about     = "One principal asked for ten different secrets or decrypted parameters within ten minutes, or searched for secrets by filter in three batches. Refused requests count too."
noise     = "Jobs that copy all secrets elsewhere, and infrastructure code that manages them: take such a principal out by name."
response  = "See which secrets were handed out and rotate those first. Check the address and the user agent against what the principal normally does; if they differ, revoke its sessions or deactivate its key."
suppress  = "1 hour"
*/
SELECT principal, session_name, source_ip, account_id, region, event_time, user_agent, access_key_id, event_name,
       secret AS last_secret, secrets, batches
FROM (SELECT *,
             count(DISTINCT secret) OVER ten_minutes AS secrets,
             count(*) FILTER (WHERE request ->> 'filters' IS NOT NULL) OVER ten_minutes AS batches
      FROM (SELECT *,
                   coalesce(request ->> 'secretId', request ->> 'secretIdList', request ->> 'name', request ->> 'names', request ->> 'path') AS secret
            FROM cloudtrail
            WHERE (event_name IN ('GetSecretValue', 'BatchGetSecretValue')
                   OR (event_name IN ('GetParameter', 'GetParameters', 'GetParametersByPath') AND request ->> 'withDecryption' = 'true'))
              AND (error_code IS NULL OR error_code LIKE '%AccessDenied%')
              AND invoked_by IS NULL AND principal IS NOT NULL)
      WINDOW ten_minutes AS (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '10 minutes' PRECEDING))
WHERE secrets >= 10 OR batches >= 3
