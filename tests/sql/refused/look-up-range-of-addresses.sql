/*
title = "t"
severity = "low"
about = "a"
*/
SELECT e.who FROM events e JOIN bad_addresses t ON cidr_contains(t.address, e.who)
