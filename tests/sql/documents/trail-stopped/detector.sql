/*
title    = "Trail stopped"
severity = "low"
about    = "A match: each record is judged by itself."
*/
SELECT principal, source_ip, event_name FROM cloudtrail WHERE event_name IN ('StopLogging', 'DeleteTrail')
