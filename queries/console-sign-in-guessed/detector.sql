/*
title     = "Console sign-in guessed"
severity  = "high"
attack    = ["T1110.001", "T1110.003"]
about     = "Ten failed console sign-ins from one address within five minutes: one user's password is being guessed, or one password is tried on many users."
noise     = "An office behind one address after a forced password change."
response  = "Look for a successful ConsoleLogin from the same address afterwards. If there is one, revoke that user's sessions, reset the password and read what was done since. Block the address at the identity provider."
suppress  = "1 hour"
*/
SELECT source_ip, principal, account_id, region, event_time, user_agent,
       count(*) OVER five_minutes AS failures
FROM cloudtrail
WHERE event_name = 'ConsoleLogin' AND response ->> 'ConsoleLogin' = 'Failure' AND source_ip IS NOT NULL
WINDOW five_minutes AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING)
QUALIFY failures >= 10
