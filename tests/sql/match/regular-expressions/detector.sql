/*
title    = "Regular expressions"
severity = "low"
about    = "~ and ~* and their negations."
*/
SELECT event_id, who ~ '^[Aa]dmin' AS matches, who ~* 'ROLE$' AS in_any_case, who !~ 'admin' AS matches_not, who !~* 'admin' AS not_in_any_case,
       who ~ '^.$|^..$' AS short, who ~ '(?m)^Admin' AS at_a_line
FROM events WHERE who ~* ''
