/*
title    = "Floats"
severity = "low"
about    = "Floats: rounding is theirs, and NaN and infinities do not come from logs."
*/
SELECT event_id, x + 0.2 AS plus, x * 3 AS times, x::text AS written, x > 0.3 AS more, x = 0.3 AS equal FROM events WHERE x IS NOT NULL
