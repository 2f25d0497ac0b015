/*
title    = "Region first used"
severity = "low"
about    = "A principal calls a region that it has not called for 30 days."
learn    = "7 days"
*/
SELECT principal, region, event_time FROM cloudtrail
WHERE principal IS NOT NULL AND region IS NOT NULL
QUALIFY first_seen(INTERVAL '30 days') OVER (PARTITION BY principal, region)
