/*
title     = "Denied calls far above the usual"
severity  = "medium"
attack    = ["T1580", "T1526", "T1087.004"]
about     = "A user or role was refused at least 20 calls in an hour, and more than five times what it is refused in an hour of the day before: slower or narrower than a sweep, and still not what it does every day."
noise     = "A deployment that lost a permission and tries again; a scanner that is new; the first day after a start, of which nothing is known before, is why it learns for a day."
response  = "Compare the calls and addresses of this hour with those of the day before. One call again and again is most often a broken deployment; many calls, or an address that is new, is somebody trying out what credentials may do: revoke its sessions or deactivate its key."
suppress  = "6 hours"
learn     = "1 day"
*/
SELECT principal, hour, denied, calls, addresses, denied_before / 24.0 AS usual
FROM (SELECT *, coalesce(sum(denied) OVER the_day_before, 0) AS denied_before
      FROM (SELECT principal, tumble(event_time, INTERVAL '1 hour') AS hour, count(*) AS denied,
                   count(DISTINCT event_name) AS calls, count(DISTINCT source_ip) AS addresses
            FROM cloudtrail
            WHERE error_code ~ 'AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|Forbidden'
              AND invoked_by IS NULL AND coalesce(user_type, '') <> 'AWSService' AND principal IS NOT NULL
            GROUP BY hour, principal)
      WINDOW the_day_before AS (PARTITION BY principal ORDER BY hour
                                RANGE BETWEEN INTERVAL '24 hours' PRECEDING AND INTERVAL '1 hour' PRECEDING))
WHERE denied >= 20 AND denied > 5 * denied_before / 24.0
