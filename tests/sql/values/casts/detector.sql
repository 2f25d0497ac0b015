/*
title    = "Casts"
severity = "low"
about    = "A cast that fails is NULL, written or implied."
*/
SELECT event_id, who::bigint AS b, CAST(who AS INT) AS i, CAST(who AS SMALLINT) AS s, TRY_CAST(who AS DOUBLE PRECISION) AS d,
       CAST(who AS BOOLEAN) AS t, CAST(who AS TIMESTAMP) AS at, n::text AS n, x::bigint AS whole, ok::text AS ok, n::smallint AS small
FROM events WHERE true
