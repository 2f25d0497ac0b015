/*
title     = "Secret in a log message"
severity  = "high"
attack    = ["T1552"]
about     = "A function wrote a credential into its log, where everyone who may read logs finds it. The finding names the kind and the place, never the value."
noise     = "Test data that looks like a key; messages that quote documentation."
response  = "Rotate the credential first, then take it out of the code that logs it. Copies of the log live wherever it is shipped to: cut the retention there, or delete the stream."
key       = ["function_name", "kind"]
suppress  = "1 day"
*/
SELECT function_name, kind, request_id, level, event_time
FROM (SELECT *,
             CASE WHEN message ~ '\bAKIA[A-Z2-7]{16}\b' THEN 'access key'
                  WHEN message ~* 'secret_?access_?key["\\]*\s*[:=]\s*["\\]*[a-z0-9/+]{40}([^a-z0-9/+]|$)' THEN 'secret access key'
                  WHEN message ~ '-----BEGIN [A-Z ]*PRIVATE KEY-----' THEN 'private key'
                  WHEN message ~ '\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{20,}|[sr]k_live_[A-Za-z0-9]{20,})' THEN 'service token'
                  WHEN message ~ '[a-z][a-z0-9+]*://[^/\s:@"]+:[^/\s:@"*<>{}]{4,}@' THEN 'password in a URL'
                  WHEN message ~* '\b(password|passwd|pwd|client_?secret|api_?key)["\\]*\s*[:=]\s*["\\]*[^\s"\\*<>(){}\[\],;]*[0-9][^\s"\\*<>(){}\[\],;]{5,}' THEN 'password or key'
             END AS kind
      FROM lambda)
WHERE kind IS NOT NULL
