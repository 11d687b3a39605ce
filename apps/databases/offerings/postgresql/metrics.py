"""What the Metrics page draws, and the query that a service is asked for its own numbers with."""

from django.utils.translation import gettext_lazy as _

from apps.databases.offerings.postgresql import sql
from portal.core.drivers import Sampler
from portal.core.offerings import Metric

# Counters end in _total: readers make rates of them.
_QUERY = """\
WITH clients AS (
  SELECT * FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'postgres'
)
SELECT json_build_object(
  'connections', (SELECT count(*) FROM clients),
  'active_connections', (SELECT count(*) FROM clients WHERE state = 'active'),
  'max_connections', current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
  'commits_total', sum(xact_commit),
  'rollbacks_total', sum(xact_rollback),
  'rows_read_total', sum(tup_returned),
  'rows_written_total', sum(tup_inserted + tup_updated + tup_deleted),
  'deadlocks_total', sum(deadlocks),
  'temp_bytes_total', sum(temp_bytes),
  'cache_hit_percent', round(100.0 * sum(blks_hit) / greatest(1, sum(blks_hit + blks_read)), 2),
  'longest_transaction_seconds',
    (SELECT coalesce(max(round(extract(epoch FROM clock_timestamp() - xact_start)::numeric, 1)), 0) FROM clients),
  'database_bytes', sum(pg_database_size(datid))
) FROM pg_stat_database WHERE datname IS NOT NULL AND datname NOT IN ('postgres', 'template0', 'template1');
"""

SAMPLER = Sampler(argv=sql.PSQL, stdin=_QUERY, env=sql.ENV)

METRICS = (
    Metric("cpu", _("Processor"), "percent", (("cpu_percent", _("Used")),)),
    Metric("memory", _("Memory"), "bytes", (("memory_bytes", _("Used")),)),
    Metric("disk", _("Disk"), "bytes", (("disk_bytes", _("All files")), ("database_bytes", _("Databases")))),
    Metric(
        "connections",
        _("Connections"),
        "count",
        (("connections", _("Open")), ("active_connections", _("Active")), ("max_connections", _("At most"))),
    ),
    Metric(
        "transactions",
        _("Transactions"),
        "per_second",
        (("commits_total", _("Committed")), ("rollbacks_total", _("Rolled back"))),
    ),
    Metric("rows", _("Rows"), "per_second", (("rows_read_total", _("Read")), ("rows_written_total", _("Written")))),
    Metric(
        "cache",
        _("Cache hits"),
        "percent",
        (("cache_hit_percent", _("Found in memory")),),
        help=_("Below 95 % a plan with more memory may help."),
    ),
    Metric(
        "longest-transaction",
        _("Longest transaction"),
        "seconds",
        (("longest_transaction_seconds", _("Open for")),),
        help=_("A transaction that stays open keeps dead rows from being cleaned up."),
    ),
    Metric("deadlocks", _("Deadlocks"), "per_second", (("deadlocks_total", _("Deadlocks")),)),
)
