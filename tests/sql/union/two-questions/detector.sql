/*
title    = "Both branches find a record that passes both"
severity = "low"
about    = "It shows what is found."
*/
SELECT 'large' AS why, event_id FROM events WHERE n > 10
UNION ALL
SELECT 'who', event_id FROM events WHERE who = 'w'
