/*
title = Refused
*/
SELECT event_id FROM events
