/*
title = "t"
severity = "low"
about = "a"
*/
SELECT who FROM events WHERE ok OR who IN (SELECT name FROM functions)
