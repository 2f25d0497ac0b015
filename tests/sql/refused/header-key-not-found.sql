/*
title = "Refused"
severity = "low"
key = ["whom"]
about = "It shows what is said."
*/
SELECT who FROM events
