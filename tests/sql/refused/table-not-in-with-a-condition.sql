/*
title = "t"
severity = "low"
about = "a"
*/
SELECT who FROM events WHERE who NOT IN (SELECT name FROM functions WHERE critical)
