/*
title    = "Quiet minute"
severity = "low"
about    = "A minute in which a source said nothing although somebody listened."
key      = ["source"]
*/
SELECT stream, kind, source, event_time FROM activity WHERE source = 'checkout' AND records = 0 AND observed
