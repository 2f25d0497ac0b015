/*
title = "Refused"
about = "It shows what is said."
*/
SELECT event_id FROM events
