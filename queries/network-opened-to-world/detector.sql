/*
title     = "Network opened to the world"
severity  = "high"
attack    = ["T1562.007"]
about     = "A security group lets every address reach a port for remote access or a database, a wide range of ports, or everything. Web ports alone are left out."
noise     = "Test hosts opened for an hour; bastions that are meant to be reachable."
response  = "See what runs behind the group and whether anybody connected since (flow logs). Take the rule back, or narrow it to the addresses that need it."
key       = ["account_id", "group_id"]
suppress  = "1 hour"
*/
SELECT event_name, coalesce(request ->> 'groupId', request -> 'ModifySecurityGroupRulesRequest' ->> 'GroupId', request ->> 'groupName') AS group_id,
       from_port, to_port, addresses, principal, session_name, source_ip, account_id, region, event_time, user_agent
FROM (SELECT *,
             TRY_CAST(coalesce(request ->> 'fromPort', request -> 'ipPermissions' -> 'items' -> 0 ->> 'fromPort',
                               request -> 'ModifySecurityGroupRulesRequest' -> 'SecurityGroupRule' -> 'SecurityGroupRule' ->> 'FromPort') AS INT) AS from_port,
             TRY_CAST(coalesce(request ->> 'toPort', request -> 'ipPermissions' -> 'items' -> 0 ->> 'toPort',
                               request -> 'ModifySecurityGroupRulesRequest' -> 'SecurityGroupRule' -> 'SecurityGroupRule' ->> 'ToPort') AS INT) AS to_port,
             coalesce(request ->> 'ipProtocol', request -> 'ipPermissions' -> 'items' -> 0 ->> 'ipProtocol',
                      request -> 'ModifySecurityGroupRulesRequest' -> 'SecurityGroupRule' -> 'SecurityGroupRule' ->> 'IpProtocol') AS protocol,
             coalesce(request ->> 'cidrIp', request ->> 'cidrIpv6',
                      (request -> 'ipPermissions' -> 'items' -> 0 ->> 'ipRanges') || (request -> 'ipPermissions' -> 'items' -> 0 ->> 'ipv6Ranges'),
                      request -> 'ipPermissions' -> 'items' -> 0 ->> 'ipRanges',
                      request -> 'ipPermissions' -> 'items' -> 0 ->> 'ipv6Ranges',
                      request -> 'ModifySecurityGroupRulesRequest' -> 'SecurityGroupRule' -> 'SecurityGroupRule' ->> 'CidrIpv4',
                      request -> 'ModifySecurityGroupRulesRequest' -> 'SecurityGroupRule' -> 'SecurityGroupRule' ->> 'CidrIpv6') AS addresses,
             -- One rule a line, from its first port on; and one rule a line from its protocol on.
             replace(request -> 'ipPermissions' ->> 'items', '"fromPort"', chr(10)) AS rules_by_port,
             replace(request -> 'ipPermissions' ->> 'items', '"ipProtocol"', chr(10)) AS rules_by_protocol
      FROM cloudtrail
      WHERE event_name IN ('AuthorizeSecurityGroupIngress', 'ModifySecurityGroupRules') AND event_source = 'ec2.amazonaws.com' AND error_code IS NULL)
WHERE (addresses ~ '/0("|$)'
       AND (protocol = '-1' OR to_port - from_port >= 100
            OR from_port IN (22, 23, 135, 139, 445, 1433, 1521, 2375, 2376, 3306, 3389, 5432, 5439, 5601, 5900, 5985, 5986, 6379, 9200, 10250, 11211, 27017)
            OR to_port IN (22, 23, 135, 139, 445, 1433, 1521, 2375, 2376, 3306, 3389, 5432, 5439, 5601, 5900, 5985, 5986, 6379, 9200, 10250, 11211, 27017)))
   OR rules_by_port ~ '\n:(0|1|22|23|135|139|445|1433|1521|2375|2376|3306|3389|5432|5439|5601|5900|5985|5986|6379|9200|10250|11211|27017),[^\n]*/0"'
   OR rules_by_protocol ~ '\n:"-1"[^\n]*/0"'
