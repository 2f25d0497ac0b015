/*
title    = "Keys of the header"
severity = "low"
about    = "A match has the keys that its header names."
key      = ["who", "kind"]
*/
SELECT who, lower(kind) AS kind, n FROM events WHERE n > 0
