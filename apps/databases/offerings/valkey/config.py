"""The nodes' configuration files, written by an encoder: no value can end its line or begin another setting.

What a start alone can change lies apart from what a running engine takes up by CONFIG SET, since a restart may cost
data (no persistence) and always costs connections.
"""

import hashlib
import re
from collections.abc import Mapping

from apps.databases.offerings.valkey import acl, front, nodes
from apps.databases.offerings.valkey.nodes import Node
from portal.core.drivers import File, View

Value = str | int | bool
USERS_FILE = "etc/users.acl"
MOST_CLIENTS = 1000
_PLATFORM_CLIENTS = 50  # probes, sampler, runs, replicas and the front's checks
_SNAPSHOTS = "3600 1 300 100 60 10000"  # the engine's own default: after so many seconds, if so many keys changed
_NAME = re.compile(r"[a-z][a-z-]*")
_MIB = 1 << 20


def setting(name: str, value: Value) -> str:
    """Return one line of configuration. Raises ValueError for a name that is none, or a text that breaks the line."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a setting")
    return f"{name} {_written(name, value)}\n"


def _written(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if any(character in value for character in "\n\r\0"):
        raise ValueError(f"the value of {name} holds a line break or NUL")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def document(settings: Mapping[str, Value]) -> str:
    """Return a configuration file. Raises ValueError as ``setting`` does."""
    return "".join(setting(name, value) for name, value in settings.items())


def files(view: View, *, read_only: bool) -> tuple[File, ...]:
    """Return all files. None of what changes while an engine runs asks for a restart."""
    found = [File(USERS_FILE, acl.document(view, read_only=read_only), on_change="none")]
    for node in nodes.nodes(view):
        found.append(File(node.config, document(_fixed(view, node)), on_change="restart"))
        found.append(File(node.settings, _settings_file(view, node), on_change="none"))
    return (*found, File(front.CONFIG, front.document(view), on_change="reload"))


def maxmemory_mib(view: View) -> int:
    """Return what keys may take: three quarters; the rest is for connections, buffers and a snapshot's copies."""
    return view.plan.memory_mib * 3 // 4


def _fixed(view: View, node: Node) -> dict[str, Value]:
    """Return what only a start can change."""
    found: dict[str, Value] = {
        "bind": "127.0.0.1",
        "protected-mode": False,
        "unixsocket": node.socket,
        "unixsocketperm": "700",
        "dir": node.directory,
        "dbfilename": "dump.rdb",
        "appenddirname": "appendonlydir",
        "appendfilename": "appendonly.aof",
        "aclfile": f"{{{{dir}}}}/{USERS_FILE}",
        "databases": 1 if nodes.is_cluster(view) else nodes.spec_of(view).databases,
        "primaryuser": "replication",
        "primaryauth": acl.REPLICATION.ref(),
        "repl-diskless-sync": True,
        "repl-diskless-sync-delay": 0,
        "rdb-del-sync-files": True,
        "set-proc-title": False,
        "include": f"{{{{dir}}}}/{node.settings}",
    }
    return found | (_in_cluster(view, node) if nodes.is_cluster(view) else {})


def _in_cluster(view: View, node: Node) -> dict[str, Value]:
    """Return a cluster node's own: clients are sent to the fronts' ports, the nodes talk over ports of their own."""
    return {
        "cluster-enabled": True,
        "cluster-config-file": "nodes.conf",
        "cluster-port": f"{{{{port:{node.bus}}}}}",
        "cluster-announce-ip": "127.0.0.1",
        "cluster-announce-port": f"{{{{port:{node.front}}}}}",
        "cluster-announce-bus-port": f"{{{{port:{node.bus}}}}}",
        "cluster-node-timeout": 5000,
        "cluster-require-full-coverage": True,
    }


def live(view: View, node: Node) -> dict[str, Value]:
    """Return what a running engine takes up by CONFIG SET."""
    spec = nodes.spec_of(view)
    return {
        "port": node.port if nodes.has_replicas(view) else 0,
        "maxmemory": maxmemory_mib(view) * _MIB,
        "maxmemory-policy": spec.maxmemory_policy,
        "maxclients": MOST_CLIENTS + _PLATFORM_CLIENTS,
        "timeout": spec.timeout_seconds,
        "notify-keyspace-events": spec.notify_keyspace_events,
        "appendfsync": spec.appendfsync,
    }


def digest(settings: Mapping[str, Value]) -> str:
    return hashlib.sha256(document(settings).encode()).hexdigest()[:16]


def persisting(kind: str) -> dict[str, Value]:
    """Return the settings of a kind of persistence."""
    return {"appendonly": nodes.keeps_log(kind), "save": _SNAPSHOTS if nodes.keeps_snapshots(kind) else ""}


def _settings_file(view: View, node: Node) -> str:
    """Return what a start begins with: what a running engine was told, and its role."""
    text = document({**live(view, node), **persisting(nodes.persistence(view))})
    leader = nodes.primary_node(view)
    if nodes.is_cluster(view) or node.number == leader.number:
        return text
    return f"{text}replicaof 127.0.0.1 {leader.port}\n"
