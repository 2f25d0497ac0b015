/*
title = "t"
severity = "low"
about = "a"
*/
SELECT e.who FROM events e JOIN approved a ON a.region = e.kind AND CAST(a.account AS TEXT) = e.who
