/*
title    = "A call of another service"
severity = "low"
about    = "Secrets are read through a service of their own."
*/
SELECT principal, event_time
FROM cloudtrail
WHERE event_source = 'ssm.amazonaws.com' AND event_name IN ('GetSecretValue', 'GetParameter')
