/*
title    = "Values that no record has, as far as is known"
severity = "low"
about    = "Values that are written as no log writes them are told of, with what was most likely meant."
*/
SELECT principal, event_name, event_time
FROM (SELECT * FROM cloudtrail WHERE event_source = 's3.amazon.com' AND event_category = 'management')
WHERE (event_name = 'ConsolLogin' OR event_name IN ('StopLogging', 'StopLoging') OR action LIKE 'Detach%Polcy')
  AND error_code = 'AccesDenied' AND lower(user_type) = 'iam_user' AND coalesce(event_type, '') <> 'AwsApiCalls'
