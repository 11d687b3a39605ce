"""What the Metrics page draws, and the script that a service is asked for its own numbers with."""

from django.utils.translation import gettext_lazy as _

from apps.databases.offerings.valkey import cli, front
from portal.core.drivers import Sampler
from portal.core.offerings import Metric

# Counters end in _total: readers make rates of them. Asked of the primary, in cluster mode of the first node.
_SCRIPT = """\
local i = redis.call("INFO")
local function n(k) return tonumber(string.match(i, "\\r\\n" .. k .. ":(%-?[%d%.]+)")) or 0 end
local function broken(k) return string.find(i, "\\r\\n" .. k .. ":err", 1, true) and 1 or 0 end
local keys, expiring, online, lag, behind = 0, 0, 0, 0, 0
for k, e in string.gmatch(i, "\\r\\ndb%d+:keys=(%d+),expires=(%d+)") do keys, expiring = keys + k, expiring + e end
for o, l in string.gmatch(i, "\\r\\nslave%d+:[^\\r]*state=online,offset=(%d+),lag=(%d+)") do
  online, lag, behind = online + 1, math.max(lag, tonumber(l)), math.max(behind, n("master_repl_offset") - o)
end
return cjson.encode({
  used_memory_bytes = n("used_memory"), max_memory_bytes = n("maxmemory"), keys = keys, expiring_keys = expiring,
  clients = n("connected_clients"), blocked_clients = n("blocked_clients"),
  commands_total = n("total_commands_processed"), hits_total = n("keyspace_hits"), misses_total = n("keyspace_misses"),
  evicted_keys_total = n("evicted_keys"), expired_keys_total = n("expired_keys"),
  received_bytes_total = n("total_net_input_bytes"), sent_bytes_total = n("total_net_output_bytes"),
  replicas = online, replica_lag_seconds = lag, replica_behind_bytes = behind,
  persistence_errors = broken("rdb_last_bgsave_status") + broken("aof_last_write_status")
})
"""

SAMPLER = Sampler(argv=cli.argv(front.SOCKET, "EVAL", _SCRIPT, "0"), env=cli.ENV)

METRICS = (
    Metric("cpu", _("Processor"), "percent", (("cpu_percent", _("Used")),)),
    Metric("memory", _("Memory"), "bytes", (("memory_bytes", _("All processes")),)),
    Metric(
        "keys-memory",
        _("Memory of keys"),
        "bytes",
        (("used_memory_bytes", _("Used")), ("max_memory_bytes", _("At most"))),
        help=_("Numbers of the engine are the primary's; in cluster mode those of the first node."),
    ),
    Metric("disk", _("Disk"), "bytes", (("disk_bytes", _("All files")),)),
    Metric("keys", _("Keys"), "count", (("keys", _("All")), ("expiring_keys", _("With a time to live")))),
    Metric("commands", _("Commands"), "per_second", (("commands_total", _("Commands")),)),
    Metric("hits", _("Look-ups"), "per_second", (("hits_total", _("Hits")), ("misses_total", _("Misses")))),
    Metric("clients", _("Clients"), "count", (("clients", _("Connected")), ("blocked_clients", _("Waiting")))),
    Metric(
        "removed",
        _("Removed keys"),
        "per_second",
        (("evicted_keys_total", _("Evicted")), ("expired_keys_total", _("Expired"))),
        help=_("Evicted keys had to make room: more memory or shorter times to live keep them."),
    ),
    Metric(
        "network", _("Network"), "bytes", (("received_bytes_total", _("Received")), ("sent_bytes_total", _("Sent")))
    ),
    Metric("replicas", _("Replicas"), "count", (("replicas", _("Following")),)),
    Metric("replica-lag", _("Replica lag"), "seconds", (("replica_lag_seconds", _("Last heard of")),)),
    Metric("replica-behind", _("Replica behind"), "bytes", (("replica_behind_bytes", _("Not yet copied")),)),
)
