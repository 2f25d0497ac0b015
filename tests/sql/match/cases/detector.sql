/*
title    = "Cases"
severity = "low"
about    = "CASE in both forms, COALESCE, NULLIF, GREATEST and LEAST."
*/
SELECT event_id, CASE WHEN n > 1 THEN 'many' WHEN n = 1 THEN 'one' END AS searched, CASE who WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 0 END AS chosen,
       coalesce(who, kind, 'nobody') AS first_known, nullif(who, 'a') AS unless_a, greatest(n, m) AS most, least(n, m) AS fewest
FROM events WHERE CASE WHEN ok THEN n > 0 ELSE true END
