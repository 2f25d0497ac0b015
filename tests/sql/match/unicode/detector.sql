/*
title    = "Unicode"
severity = "low"
about    = "Texts are compared byte by byte: what looks alike may differ."
*/
SELECT event_id, who, length(who) AS characters FROM events
WHERE who = 'é' OR who LIKE '日%' OR who ~ '^\p{Greek}+$' OR lower(who) = 'straße' OR who > 'zzz'
