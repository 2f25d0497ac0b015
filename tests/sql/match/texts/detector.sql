/*
title    = "Texts"
severity = "low"
about    = "Functions over texts."
*/
SELECT event_id, lower(who) AS lowered, upper(who) AS uppered, length(who) AS characters, octet_length(who) AS bytes, reverse(who) AS reversed,
       split_part(who, '/', 2) AS part, substring(who FROM 2 FOR 3) AS middle, substr(who, 3) AS rest, left(who, 2) AS start, right(who, 2) AS stop,
       strpos(who, '/') AS place, position('r' IN who) AS found, replace(who, '/', '-') AS replaced, trim(who) AS trimmed, btrim(who, ' x') AS stripped,
       concat(who, '|', kind) AS put_together, who || kind AS joined, concat_ws('|', who, kind) AS listed, starts_with(who, 'u') AS starts,
       regexp_replace(who, '[0-9]+', '#') AS masked, regexp_like(who, '\d') AS has_digit, translate(who, 'ab', 'xy') AS translated, initcap(who) AS capitals
FROM events WHERE who IS NOT NULL
