/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT who FROM events HAVING who = 'a'
