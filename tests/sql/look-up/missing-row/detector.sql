/*
title    = "Rows that may be missing"
severity = "low"
about    = "LEFT JOIN keeps records without a row; what is asked in ON is asked before."
*/
SELECT e.event_id, f.owner, f.critical, coalesce(f.owner, 'nobody') AS whose
FROM events e LEFT JOIN functions f ON f.name = e.who AND f.memory > e.n
