/*
title    = "Escape"
severity = "low"
about    = "LIKE with an escape of its own."
*/
SELECT event_id FROM events WHERE who LIKE 'a#_#%\b##%' ESCAPE '#' OR who NOT ILIKE '%!%%' ESCAPE '!'
