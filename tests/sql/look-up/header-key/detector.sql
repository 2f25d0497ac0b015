/*
title    = "Keys of the header"
severity = "low"
about    = "A look-up is a match: its keys are those of the header."
key      = ["owner"]
*/
SELECT e.who, f.owner FROM events e JOIN functions f ON f.name = e.who WHERE f.critical
