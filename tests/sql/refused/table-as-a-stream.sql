/*
title = "t"
severity = "low"
about = "a"
*/
SELECT owner FROM functions WHERE critical
