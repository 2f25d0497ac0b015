/*
title    = "Sub query"
severity = "low"
about    = "A SELECT over a SELECT, and WITH, are one match."
*/
WITH small AS (SELECT event_id, n, n * 10 AS ten FROM events WHERE n < 5)
SELECT t.event_id, t.more FROM (SELECT event_id, ten + 1 AS more FROM small WHERE n > 1) AS t WHERE t.more <> 31
