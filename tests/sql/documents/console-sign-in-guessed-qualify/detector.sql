/*
title    = "Console sign in guessed qualify"
severity = "low"
about    = "The same said with QUALIFY."
*/
SELECT source_ip, principal, event_time
FROM cloudtrail
WHERE event_name = 'ConsoleLogin' AND error_message = 'Failed authentication'
QUALIFY count(*) OVER (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING) >= 10
