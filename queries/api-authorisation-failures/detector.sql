/*
title     = "Many requests to an API not authorised"
severity  = "medium"
attack    = ["T1110", "T1190"]
about     = "Thirty requests from one address were refused as unauthenticated or forbidden within five minutes: tokens are guessed, or somebody tries what another's token may do."
noise     = "A client that goes on asking after its token has expired; many people behind one address."
response  = "See which paths were asked for and whether one of them was answered in the end. Block the address at the firewall; if a token was guessed, revoke it."
suppress  = "1 hour"
*/
SELECT source_ip, api_id, stage, method, path, status, principal, event_time, user_agent, authorizer_error,
       count(*) OVER five_minutes AS refused
FROM api
WHERE status IN (401, 403) AND source_ip IS NOT NULL
WINDOW five_minutes AS (PARTITION BY source_ip ORDER BY event_time RANGE INTERVAL '5 minutes' PRECEDING)
QUALIFY refused >= 30
