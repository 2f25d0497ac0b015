/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT event_id FROM cloudtrail WHERE event_name = 'UpdateFunctionCode' OR action = 'AddPermission20150331v2'
