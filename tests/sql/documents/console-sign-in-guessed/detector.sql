/*
title    = "Console sign in guessed"
severity = "low"
about    = "Ten failed console sign-ins from one address within five minutes."
*/
SELECT source_ip, principal, event_time, failures
FROM (SELECT *, count(*) OVER five_minutes AS failures
      FROM cloudtrail
      WHERE event_name = 'ConsoleLogin' AND error_message = 'Failed authentication'
      WINDOW five_minutes AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING))
WHERE failures >= 10
