/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT '日本語 é' AS text, nope FROM events
