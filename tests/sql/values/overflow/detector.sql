/*
title    = "Overflow"
severity = "low"
about    = "What does not fit 64 bits is NULL."
*/
SELECT event_id, n + m AS plus, n - m AS minus, n * m AS times, -n AS negated, n / m AS divided, n % m AS rest, n + m IS NULL AS overflows,
       n * 2 > 0 AS doubled_is_positive, (n + m) - m AS and_back
FROM events WHERE n IS NOT NULL
