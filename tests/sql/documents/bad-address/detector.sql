/*
title    = "Call from a listed address"
severity = "low"
about    = "A look-up: an address is on a list."
*/
SELECT s.principal, s.source_ip, s.event_name, t.list
FROM cloudtrail s JOIN bad_addresses t ON t.address = s.source_ip
