/*
title    = "Three valued logic"
severity = "low"
about    = "NULL in AND, OR and NOT is SQL's: unknown unless the other side decides."
*/
SELECT event_id, ok AND n = 1 AS both, ok OR n = 1 AS either, NOT ok AS negated, NOT (ok AND n = 1) AS not_both, NOT (ok OR n = 1) AS neither,
       ok IS TRUE AS is_true, ok IS NOT TRUE AS is_not_true, ok IS FALSE AS is_false, ok IS NOT FALSE AS is_not_false,
       ok IS UNKNOWN AS is_unknown, ok IS NOT UNKNOWN AS is_known, (n = 1) IS NULL AS not_told, ok = (n = 1) AS alike
FROM events WHERE true
