/*
title     = "Injection attempt on an API"
severity  = "medium"
attack    = ["T1190"]
about     = "A request's path or user agent carries SQL, a path out of the web root, script, a shell command, a name look-up or the address of the machine's own credentials."
noise     = "Scanners, one's own among them: every public API sees some. Those answered with a status below 400 deserve a look first."
response  = "Look at the status and at how much was answered. If a request got through, read the function's log for the same request id, and treat what its role can reach as read. Block the address."
key       = ["source_ip"]
suppress  = "1 hour"
*/
SELECT source_ip, api_id, stage, request_id, method, path, status, response_bytes, principal, event_time, user_agent
FROM api
WHERE path ~* '(\.|%2e){2}(/|\\|%2f|%5c)(\.|%2e){2}(/|\\|%2f|%5c)|/etc/(passwd|shadow)|%2fetc%2f(passwd|shadow)|/proc/self/|%252e%252e'
   OR path ~* 'union(\s|\+|%20|%0a|/\*.*\*/)+(all(\s|\+|%20)+)?select(\s|\+|%20|\()'
   OR path ~* '(''|%27)(\s|\+|%20)*(or|and)(\s|\+|%20)+(''|%27)?\w+(''|%27)?(\s|\+|%20)*(=|%3d|like)'
   OR path ~* '(''|%27)(\s|\+|%20)*(;|%3b)(\s|\+|%20)*(drop|delete|insert|update|exec)(\s|\+|%20)'
   OR path ~* 'information_schema|xp_cmdshell|(sleep|benchmark|pg_sleep)(\(|%28)\d'
   OR path ~* '(<|%3c)script|(<|%3c)(img|svg)[^>]*on(error|load)(=|%3d)'
   OR path ~* '(;|%3b|\||%7c|`|%60|\$\(|%24%28)(\s|\+|%20)*(cat|curl|wget|bash|sh|nc|id|whoami|powershell)(\s|\+|%20|%0a|$|`|%60|\)|%29)'
   OR path ~* '(\$|%24)(\{|%7b)jndi:|169\.254\.(169\.254|170\.2)'
   OR user_agent ~* '(\$|%24)(\{|%7b)jndi:|\(\)\s*\{\s*:;\s*\}\s*;'
