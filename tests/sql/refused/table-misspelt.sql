/*
title = "t"
severity = "low"
about = "a"
*/
SELECT e.who FROM events e JOIN fuctions f ON f.name = e.who
