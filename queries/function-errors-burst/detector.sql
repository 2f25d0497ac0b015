/*
title     = "Burst of function errors"
severity  = "medium"
attack    = ["T1499"]
about     = "Within five minutes twenty or more invocations of one function failed or timed out, and these were at least a tenth of all it logged: a broken release, a failing dependency, or somebody who feeds it what it was not made for."
noise     = "Releases that are rolled back within minutes; a dependency's outage."
response  = "Read the first failing request: is it your code, a dependency, or its input? Input that makes a function fail comes from somewhere: look at the API's log for the same minutes. Set a concurrency limit if retries pile up."
suppress  = "30 minutes"
*/
SELECT tumble(event_time, INTERVAL '5 minutes') AS window_start, function_name,
       count(DISTINCT request_id) FILTER (WHERE upper(level) IN ('ERROR', 'FATAL', 'CRITICAL') OR status IN ('error', 'timeout', 'failure')) AS failed,
       count(DISTINCT request_id) AS invocations
FROM lambda
WHERE function_name IS NOT NULL
GROUP BY tumble(event_time, INTERVAL '5 minutes'), function_name
HAVING count(DISTINCT request_id) FILTER (WHERE upper(level) IN ('ERROR', 'FATAL', 'CRITICAL') OR status IN ('error', 'timeout', 'failure')) >= 20
   AND count(DISTINCT request_id) FILTER (WHERE upper(level) IN ('ERROR', 'FATAL', 'CRITICAL') OR status IN ('error', 'timeout', 'failure')) * 10 >= count(DISTINCT request_id)
