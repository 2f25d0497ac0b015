/*
title    = "Copies of copies"
severity = "low"
about    = "Short, and as long as memory when it is planned."
*/
SELECT k + k + k + k + k + k + k + k + k + k AS k FROM (
    SELECT n + n + n + n + n + n + n + n + n + n AS k FROM (
        SELECT n + n + n + n + n + n + n + n + n + n AS n FROM (SELECT n + n + n + n + n AS n FROM events) x
    ) y
) z
