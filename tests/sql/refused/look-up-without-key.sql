/*
title = "t"
severity = "low"
about = "a"
*/
SELECT e.who FROM events e JOIN functions f ON f.owner = e.who
