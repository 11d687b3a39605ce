"""Runs that bring running engines to what is asked: settings, users, persistence, roles, and a cluster's slots.

Each is a command and, where it takes effect later, a question that is asked until the answer is yes. What has been
reached becomes a fact, and files are written from facts: an engine that crashes half-way begins with what was there.
"""

from collections.abc import Iterator

from apps.databases.offerings.valkey import acl, cli, config, nodes
from apps.databases.offerings.valkey.config import Value
from apps.databases.offerings.valkey.nodes import Node
from portal.core.drivers import Run, View

LANE = "main"  # of what is about all nodes; what is about one alone goes in a lane of its name


def runs(view: View, *, read_only: bool) -> tuple[Run, ...]:
    """Return all of them, in the order that a lane does them."""
    found = [*_settings(view), *_users(view, read_only=read_only)]
    if nodes.is_cluster(view):
        found += _cluster(view)
    return (*found, *promotion(view), *persisting(view), *_forgetting(view))


def _run(key: str, argv: tuple[str, ...], stdin: str = "", *, lane: str = LANE) -> Run:
    return Run(key, argv, stdin=stdin, env=cli.ENV, timeout_seconds=60, lane=lane)


def _config_set(settings: dict[str, Value]) -> tuple[str, ...]:
    words = {name: ("yes" if value else "no") if isinstance(value, bool) else value for name, value in settings.items()}
    return ("CONFIG", "SET", *(str(part) for pair in words.items() for part in pair))


# ---- settings and users ----------------------------------------------------------------------------------------------


def _settings(view: View) -> Iterator[Run]:
    for node in nodes.nodes(view):
        live = config.live(view, node)
        argv = cli.argv(node.socket, *_config_set(live))
        yield _run(f"settings:{config.digest(live)}:{node.name}", argv, lane=node.name)


def settings_keys(view: View) -> tuple[str, ...]:
    return tuple(run.key for run in _settings(view))


def _users(view: View, *, read_only: bool) -> Iterator[Run]:
    keys = user_keys(view, read_only=read_only)
    for node, key in zip(nodes.nodes(view), keys, strict=True):
        yield _run(key, cli.argv(node.socket, "ACL", "LOAD"), lane=node.name)


def user_keys(view: View, *, read_only: bool) -> tuple[str, ...]:
    """Return the keys of the runs that bring the users as asked to every node."""
    digest = acl.digest(view, read_only=read_only)
    return tuple(f"users:{digest}:{node.name}" for node in nodes.nodes(view))


# ---- a cluster -------------------------------------------------------------------------------------------------------

# A node that began with keys has taken their slots already: it takes those between. An epoch of its own for each node
# spares them the search for one; a node that knows others already does not take it.
_TAKE_SLOTS = """\
local free, at, last = {}, tonumber(ARGV[1]), tonumber(ARGV[2])
local taken = redis.call("CLUSTER", "SLOTS")
table.sort(taken, function(a, b) return a[1] < b[1] end)
for _, range in ipairs(taken) do
  if range[1] > at and at <= last then
    table.insert(free, at) table.insert(free, math.min(range[1] - 1, last))
  end
  at = math.max(at, range[2] + 1)
end
if at <= last then table.insert(free, at) table.insert(free, last) end
if #free > 0 then redis.call("CLUSTER", "ADDSLOTSRANGE", unpack(free)) end
redis.pcall("CLUSTER", "SET-CONFIG-EPOCH", ARGV[3])
return #free / 2
"""


def _cluster(view: View) -> Iterator[Run]:
    found, data = nodes.nodes(view), nodes.data_directory(view)
    for node in found:
        words = (str(number) for number in (*node.slots, node.number))
        argv = cli.argv(node.socket, "EVAL", _TAKE_SLOTS, "0", *words)
        yield _run(f"slots:{data}:{node.name}", argv, lane=node.name)
    meet = "".join(
        f"CLUSTER MEET 127.0.0.1 {{{{port:{other.front}}}}} {{{{port:{other.bus}}}}}\n" for other in found[1:]
    )
    yield _run(f"meet:{data}", cli.argv(found[0].socket), meet, lane=found[0].name)
    facts = ("cluster_state:ok", f"cluster_slots_ok:{nodes.SLOTS}", f"cluster_known_nodes:{nodes.PRIMARIES}")
    for node in found:
        question = cli.holds("cluster", *facts, otherwise="the nodes have not found together yet")
        yield _run(f"joined:{data}:{node.name}", cli.argv(node.socket, *question), lane=node.name)


def joined_keys(view: View) -> tuple[str, ...]:
    """Return the keys of the runs without which a cluster takes no keys; none for a standalone service."""
    if not nodes.is_cluster(view):
        return ()
    return tuple(f"joined:{nodes.data_directory(view)}:{node.name}" for node in nodes.nodes(view))


# ---- promoting a replica ---------------------------------------------------------------------------------------------

_THEN = """\
EVAL "return 1" 0
CLIENT KILL TYPE normal
XREAD BLOCK 1500 STREAMS {platform} $
"""  # the last one reads nothing: it gives the front the time to see who is what


def promotion(view: View) -> tuple[Run, ...]:
    """Return what makes a replica the primary: the primary stops writes until it has caught up, then they change roles.

    The script that follows waits with all writes, so it runs when that is over (or was given up); then clients are cut
    off from the old primary, those too that came in before the front knew of several nodes.
    """
    wanted, leader = nodes.wanted_primary(view), nodes.primary_node(view)
    if wanted == leader.number:
        return ()
    target = Node(wanted, leader.data)
    order = f"FAILOVER TO 127.0.0.1 {target.port} TIMEOUT 10000\n{_THEN}"
    wait = "BLPOP {platform} 1\n" if tries(view) else ""
    question = cli.holds("replication", "role:slave", otherwise="the replica has not caught up yet")
    handover, over = promotion_keys(view)
    return (
        _run(handover, cli.argv(leader.socket), wait + order),
        _run(over, cli.argv(leader.socket, *question)),
    )


def promotion_keys(view: View) -> tuple[str, str]:
    """Return the keys of the order to hand over, and of the question whether that is done."""
    name = f"promote:{nodes.primary(view)}:{nodes.wanted_primary(view)}:{tries(view)}"
    return name, f"{name}:done"


def tries(view: View) -> int:
    """Return how often a change was begun anew, since its question was answered with no."""
    return int(view.facts.get("tries", 0))


# ---- changing the persistence ----------------------------------------------------------------------------------------

_LOG_IS_WHOLE = (
    "aof_enabled:1", "aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0", "aof_last_bgrewrite_status:ok",
)  # fmt: skip
_SNAPSHOT_IS_THERE = ("rdb_bgsave_in_progress:0", "aof_rewrite_in_progress:0", "rdb_last_bgsave_status:ok")


def persisting(view: View) -> tuple[Run, ...]:
    """Return what changes the persistence of running engines, in two stages.

    First what a start will read afterwards is written, only then is the old way left: no crash finds neither.
    """
    before, after = nodes.persistence(view), nodes.spec_of(view).persistence
    if before == after:
        return ()
    stage, name = persisting_stage(view), f"persist:{before}:{after}:{tries(view)}"
    make = _written_first if stage == 1 else _left_then
    return tuple(run for node in nodes.nodes(view) for run in make(f"{name}:{stage}:{node.name}", node, before, after))


def persisting_stage(view: View) -> int:
    return 2 if view.facts.get("persisted") == nodes.spec_of(view).persistence else 1


def _written_first(key: str, node: Node, before: str, after: str) -> Iterator[Run]:
    if nodes.keeps_log(after) and not nodes.keeps_log(before):
        yield from _log_whole(key, node)
    if nodes.keeps_snapshots(after) and (nodes.keeps_log(before) > nodes.keeps_log(after) or before in ("none", "aof")):
        yield _run(f"{key}:snapshot", cli.argv(node.socket), "BGSAVE SCHEDULE\nBLPOP {platform} 1\n", lane=node.name)
        question = cli.holds("persistence", *_SNAPSHOT_IS_THERE, otherwise="the snapshot is being written")
        yield _run(f"{key}:snapshot:done", cli.argv(node.socket, *question), lane=node.name)


def _left_then(key: str, node: Node, before: str, after: str) -> Iterator[Run]:
    yield _run(f"{key}:set", cli.argv(node.socket, *_config_set(config.persisting(after))), lane=node.name)
    if nodes.keeps_log(after):
        yield from _log_whole(key, node)


def _log_whole(key: str, node: Node) -> Iterator[Run]:
    yield _run(f"{key}:log", cli.argv(node.socket), "CONFIG SET appendonly yes\nBLPOP {platform} 1\n", lane=node.name)
    question = cli.holds("persistence", *_LOG_IS_WHOLE, otherwise="the log is being written")
    yield _run(f"{key}:log:done", cli.argv(node.socket, *question), lane=node.name)


def _forgetting(view: View) -> Iterator[Run]:
    """Return what removes the files of a service that is to begin empty: a start would read them, old as they are."""
    if nodes.persistence(view) == "none" == nodes.spec_of(view).persistence:
        data = nodes.data_directory(view)
        places = tuple(f"{{{{dir}}}}/{data}/{number}/dump.rdb" for number in range(1, nodes.PRIMARIES + 1))
        yield Run(f"forget:{data}", ("/usr/bin/rm", "-f", *places), lane="upkeep")
