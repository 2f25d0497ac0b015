/*
title    = "Everything"
severity = "low"
about    = "SELECT * shows every column, and the text of the record."
*/
SELECT * FROM events WHERE kind = 'k'
