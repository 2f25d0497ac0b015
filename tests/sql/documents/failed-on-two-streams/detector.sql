/*
title    = "Failed sign-ins of two streams"
severity = "low"
about    = "It shows what is found."
*/
SELECT 'console' AS by, principal, source_ip, event_time FROM cloudtrail
WHERE event_name = 'ConsoleLogin' AND response ->> 'ConsoleLogin' = 'Failure'
UNION ALL
SELECT 'api' AS by, principal, source_ip, event_time FROM api WHERE status = 401
