/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT (data ->> 'x')::jsonb AS x FROM events
