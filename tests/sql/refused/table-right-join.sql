/*
title = "t"
severity = "low"
about = "a"
*/
SELECT f.owner FROM events e RIGHT JOIN functions f ON e.who = f.name
