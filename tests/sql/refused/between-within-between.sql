/*
title    = "BETWEEN within BETWEEN"
severity = "low"
about    = "Each stands for two copies of the one within."
*/
SELECT event_id FROM events WHERE (((((((((((n BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)::int BETWEEN 0 AND 3)
