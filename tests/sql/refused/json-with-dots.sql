/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT data.tags.env FROM events
