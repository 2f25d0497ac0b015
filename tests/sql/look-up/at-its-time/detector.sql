/*
title    = "A row at its time"
severity = "low"
about    = "Of several rows of a key, the one that holds when the record happens, from its first instant to before its last."
*/
SELECT e.event_id, e.who, f.owner, f.memory, f.valid_to FROM events e JOIN functions f ON f.name = e.who
