/*
title    = "Call from an address that is not ours"
severity = "low"
about    = "A list of what is allowed."
*/
SELECT principal, source_ip, event_name FROM cloudtrail
WHERE event_name = 'ConsoleLogin' AND source_ip NOT IN (SELECT address FROM office_addresses)
