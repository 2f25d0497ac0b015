/*
title    = "Errors by owner"
severity = "low"
about    = "A look-up below a window: errors are counted for whoever owns the function at that time."
*/
SELECT tumble(s.event_time, INTERVAL '5 minutes') AS start, f.owner, count(*) AS errors
FROM lambda s LEFT JOIN functions f ON f.name = s.function_name
WHERE s.level = 'ERROR'
GROUP BY tumble(s.event_time, INTERVAL '5 minutes'), f.owner
HAVING count(*) >= 3
