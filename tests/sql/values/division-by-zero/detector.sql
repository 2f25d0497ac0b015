/*
title    = "Division by zero"
severity = "low"
about    = "Division by zero is NULL, of floats too."
*/
SELECT event_id, n / m AS whole, n % m AS rest, x / m AS of_floats, n / 0 AS by_nothing, x / 0.0 AS by_naught, 1.0 / n AS turned, n / 2 AS half, n / 2.0 AS exactly
FROM events WHERE n / m IS NULL OR n / m > 1
