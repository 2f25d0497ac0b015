/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT whom, now() AS at
FROM events
WHERE random() < 0.5
ORDER BY event_time
LIMIT 3
