/*
title    = "Console sign in guessed alias"
severity = "low"
about    = "The same with QUALIFY on the name of the count."
*/
SELECT source_ip, principal, event_time, count(*) OVER five_minutes AS failures
FROM cloudtrail
WHERE event_name = 'ConsoleLogin' AND error_message = 'Failed authentication'
WINDOW five_minutes AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING)
QUALIFY failures >= 10
