/*
title = "Refused"
severity = "low"
about = "It shows what is said."
*/
SELECT * FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '10' MINUTES))
