/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT * FROM events MATCH_RECOGNIZE (PARTITION BY who)
