/*
title    = "Denied calls"
severity = "low"
about    = "Eight different calls denied within ten minutes."
*/
SELECT principal, event_time FROM cloudtrail
WHERE error_code = 'AccessDenied'
QUALIFY count(DISTINCT event_name) OVER
  (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '10 minutes' PRECEDING) >= 8
