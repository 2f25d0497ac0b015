/*
title    = "Conditions that no record can meet"
severity = "low"
about    = "What can never be true is told of; where an OR has another way, only that part is."
*/
SELECT principal, count(DISTINCT region) OVER hour AS regions, count(*) FILTER (WHERE region <> 'eu-west-1') OVER hour AS elsewhere
FROM cloudtrail
WHERE principal IS NOT NULL AND region IN ('eu-west-1', 'eu-central-1') AND event_name = 'RunInstances'
  AND (lower(user_name) = 'Alice' OR error_code = NULL OR read_only = false)
WINDOW hour AS (PARTITION BY principal ORDER BY event_time RANGE INTERVAL '1 hour' PRECEDING)
QUALIFY regions >= 3
