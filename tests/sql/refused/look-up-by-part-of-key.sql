/*
title = "t"
severity = "low"
about = "a"
*/
SELECT e.who FROM events e LEFT JOIN approved a ON a.region = e.kind
