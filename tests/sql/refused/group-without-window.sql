/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT access_key_id, count(*) AS calls
FROM cloudtrail
GROUP BY access_key_id
