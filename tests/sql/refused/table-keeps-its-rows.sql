/*
title = "t"
severity = "low"
about = "a"
*/
SELECT f.owner FROM functions f WHERE EXISTS (SELECT 1 FROM events e WHERE e.who = f.name)
