/*
title     = "Remote shell on many instances"
severity  = "high"
attack    = ["T1021.007", "T1021.004", "T1651"]
about     = "One user or session opened a session, sent a command or pushed a login key to three different instances within ten minutes, or sent one command to three or more at once."
noise     = "An operator at work during an incident; patching or deployment by a tool that runs as a role of its own: take such a role out by name."
response  = "Ask the operator. If it was not them: revoke the sessions, end what is open (TerminateSession, CancelCommand), isolate the instances and keep their disks; the session logs show what was typed."
suppress  = "1 hour"
*/
SELECT user_arn, principal, session_name, source_ip, account_id, region, event_time, user_agent, event_name, error_code,
       instance AS last_instance, instances
FROM (SELECT *, count(DISTINCT instance) OVER ten_minutes AS instances
      FROM (SELECT *, coalesce(request ->> 'target', request ->> 'instanceId', request ->> 'instanceIds', request ->> 'targets') AS instance
            FROM cloudtrail
            WHERE event_name IN ('StartSession', 'SendCommand', 'SendSSHPublicKey', 'SendSerialConsoleSSHPublicKey')
              AND event_source IN ('ssm.amazonaws.com', 'ec2-instance-connect.amazonaws.com')
              AND invoked_by IS NULL AND user_arn IS NOT NULL)
      WINDOW ten_minutes AS (PARTITION BY user_arn ORDER BY event_time RANGE INTERVAL '10 minutes' PRECEDING))
WHERE instances >= 3 OR (request ->> 'instanceIds') LIKE '%,%,%'
