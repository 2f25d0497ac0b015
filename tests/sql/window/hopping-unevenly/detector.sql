/*
title    = "Hopping unevenly"
severity = "low"
about    = "A length that is no multiple of the hop."
*/
SELECT hop(event_time, INTERVAL '40 seconds', INTERVAL '1 minute') AS start, who, count(*) AS records, max(n) AS most, count(DISTINCT n) AS numbers
FROM events WHERE who IN ('a', 'b') GROUP BY hop(event_time, INTERVAL '40 seconds', INTERVAL '1 minute'), who HAVING count(*) >= 1
