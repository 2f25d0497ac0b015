/*
title = "t"
severity = "low"
about = "a"
*/
SELECT event_name FROM cloudtrail WHERE NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (read_only)))))))))))))))))))))))))
