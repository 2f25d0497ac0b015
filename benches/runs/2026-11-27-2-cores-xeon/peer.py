"""J1 and J2 of scripts/bench-jobs by DuckDB, in batch: python peer.py FILE, with the package duckdb installed."""

import resource
import sys
import time

import duckdb

J1 = """
select eventTime, sourceIPAddress
from read_json($file, format = 'newline_delimited', columns = {eventTime: 'VARCHAR', eventName: 'VARCHAR',
  errorMessage: 'VARCHAR', sourceIPAddress: 'VARCHAR'})
where eventName = 'ConsoleLogin' and errorMessage = 'Failed authentication'
"""
J2 = """
select time_bucket(interval '5 minutes', eventTime),
  coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn, userIdentity.invokedBy) as principal,
  count(*) filter (errorCode in ('AccessDenied', 'Client.UnauthorizedOperation')) as denied,
  count(distinct eventName) as names
from read_json($file, format = 'newline_delimited', columns = {eventTime: 'TIMESTAMP', eventName: 'VARCHAR',
  errorCode: 'VARCHAR', userIdentity: 'STRUCT(arn VARCHAR, invokedBy VARCHAR,
    sessionContext STRUCT(sessionIssuer STRUCT(arn VARCHAR)))'})
group by all having denied >= 20 and names >= 40
"""


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


connection = duckdb.connect()
connection.execute("set threads = 2")
for name, query in {"J1": J1, "J2": J2}.items():
    for _ in range(3):
        before, begun = cpu(), time.monotonic()
        rows = connection.execute(query, {"file": sys.argv[1]}).fetchall()
        print(f"{name} {cpu() - before:.2f} CPU s, {time.monotonic() - begun:.2f} s, {len(rows)} rows")
