/*
title    = "Named twice"
severity = "low"
about    = "What is selected twice under one name is shown once."
*/
SELECT who, n, who, upper(who) AS u, upper(who) AS u FROM events WHERE who = 'a'
