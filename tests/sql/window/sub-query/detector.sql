/*
title    = "Sub query"
severity = "low"
about    = "A window over a SELECT, and a SELECT over a window."
*/
SELECT busy.who, busy.records * 100 AS hundredfold FROM (
  SELECT who, count(*) AS records FROM (SELECT lower(who) AS who, event_time FROM events WHERE n IS NOT NULL) AS t
  GROUP BY tumble(event_time, INTERVAL '1 hour'), who) AS busy
WHERE busy.records >= 2
