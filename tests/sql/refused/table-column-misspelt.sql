/*
title = "t"
severity = "low"
about = "a"
*/
SELECT e.who, f.ownr FROM events e JOIN functions f ON f.name = e.who
