/*
title    = "Like"
severity = "low"
about    = "Patterns: % any text, _ one character, \\ takes the next as it is; ILIKE in any case."
*/
SELECT event_id, who LIKE 'Admin%' AS starts, who LIKE '%role' AS ends, who LIKE '%min%' AS has, who LIKE 'admin_role' AS one,
       who LIKE 'admin\_role' AS escaped, who LIKE '50\%' AS percent, who ILIKE 'ADMIN%' AS any_case, who NOT LIKE '%A%' AS without,
       who NOT ILIKE '%a%' AS without_in_any_case, who LIKE '' AS empty, who ILIKE 'ä%' AS beyond_ascii
FROM events WHERE who LIKE '%' OR who IS NULL
