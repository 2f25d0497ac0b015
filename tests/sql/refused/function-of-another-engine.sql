/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT json_extract(data, 'x') AS x FROM events
