"""PostgreSQL's configuration files, written by an encoder: no value can end its line or begin another setting."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import cast

from apps.databases.offerings.postgresql.plans import line_of
from apps.databases.offerings.postgresql.spec import PostgresqlSpec
from portal.core.drivers import File, View

Value = str | int | bool
_NAME = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)?")
_MIB_PER_CONNECTION = 10  # what a backend with a warm catalogue cache takes, roughly
_PLATFORM_CONNECTIONS = 5  # probe, sampler, runs and a backup, kept free by superuser_reserved_connections

# First match wins. Tenants come over TLS alone and never as the superuser, nor into the databases that are ours.
_HBA_HEAD = """\
local    all,replication                 postgres                 scram-sha-256
local    all,replication                 all                      reject
hostssl  all,replication                 postgres  all            reject
hostssl  replication                     all       all            reject
hostssl  postgres,template0,template1    all       all            reject
"""
_HBA_FOOT = """\
host     all,replication                 all       all            reject
"""


def setting(name: str, value: Value) -> str:
    """Return one line of configuration. Raises ValueError for a name that is none, or a text that breaks the line."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a setting")
    if isinstance(value, bool):
        return f"{name} = {'on' if value else 'off'}\n"
    if isinstance(value, int):
        return f"{name} = {value}\n"
    if any(character in value for character in "\n\r\0"):
        raise ValueError(f"the value of {name} holds a line break or NUL")
    quoted = value.replace("\\", "\\\\").replace("'", "''")
    return f"{name} = '{quoted}'\n"


def document(settings: Mapping[str, Value]) -> str:
    """Return a configuration file. Raises ValueError as ``setting`` does."""
    return "".join(setting(name, value) for name, value in settings.items())


def files(view: View, *, read_only: bool) -> tuple[File, ...]:
    """Return the engine's files: what needs a restart apart from what a reload takes up."""
    return (
        File("etc/postgresql.conf", document(_fixed(view)), on_change="restart"),
        File("etc/reloadable.conf", document(_reloadable(view, read_only=read_only)), on_change="reload"),
        File("etc/pg_hba.conf", hba(view.allow_list), on_change="reload"),
        File("etc/pg_ident.conf", "", on_change="reload"),
    )


def hba(networks: Sequence[str]) -> str:
    """Return who may connect: logins over TLS from these networks, or from all where there are none.

    The platform's own way in, the socket, is in no list. Raises ValueError for a text that is no network.
    """
    places = [str(ipaddress.ip_network(network)) for network in networks] or ["all"]
    lines = (f"hostssl  all                             all       {place:<14} scram-sha-256\n" for place in places)
    return _HBA_HEAD + "".join(lines) + _HBA_FOOT


def disk_gib(view: View) -> int:
    """Return the disk of this service: as asked for, never less than the plan's."""
    return max(_spec(view).disk_gib or 0, view.plan.disk_gib)


def max_connections(view: View) -> int:
    """Return how many connections customers may have: as asked for, or what a quarter of the memory bears."""
    return _spec(view).max_connections or max(25, view.plan.memory_mib // 4 // _MIB_PER_CONNECTION)


def _spec(view: View) -> PostgresqlSpec:
    return cast(PostgresqlSpec, view.spec)


def sizes(view: View) -> dict[str, Value]:
    """Return the sizes that only a start can change. They follow the plan, as PostgreSQL's own manual advises."""
    cores = max(1, int(view.plan.cpu))
    return {
        "max_connections": max_connections(view) + _PLATFORM_CONNECTIONS,
        "superuser_reserved_connections": _PLATFORM_CONNECTIONS,
        "shared_buffers": f"{view.plan.memory_mib // 4}MB",
        "max_worker_processes": 8,
        "max_parallel_workers": cores,
        "max_parallel_workers_per_gather": min(2, cores),
    }


def _fixed(view: View) -> dict[str, Value]:
    """Return what only a start can change."""
    found: dict[str, Value] = {
        "listen_addresses": "127.0.0.1",
        "port": "{{port:main}}",
        "unix_socket_directories": "{{run}}",
        "unix_socket_permissions": "0700",
        "hba_file": "{{dir}}/etc/pg_hba.conf",
        "ident_file": "{{dir}}/etc/pg_ident.conf",
        **sizes(view),
        "wal_level": "replica",
        "max_wal_senders": 4,
        "shared_preload_libraries": "pg_stat_statements",
        "logging_collector": False,
        "log_destination": "stderr",
        "log_timezone": "UTC",
        "include": "{{dir}}/etc/reloadable.conf",
    }
    return found


def tuning(view: View) -> dict[str, Value]:
    """Return what a reload takes up, wherever PostgreSQL runs: what was asked for, and what follows from the plan."""
    spec, memory, disk = _spec(view), view.plan.memory_mib, disk_gib(view)
    return {
        "ssl_min_protocol_version": "TLSv1.2",
        "password_encryption": "scram-sha-256",
        "effective_cache_size": f"{memory * 3 // 4}MB",
        "maintenance_work_mem": f"{min(1024, max(64, memory // 16))}MB",
        "work_mem": f"{spec.work_mem_mib or min(64, max(4, memory // 4 // max_connections(view)))}MB",
        "max_wal_size": f"{min(4096, max(128, disk * 1024 // 10))}MB",
        "min_wal_size": "80MB",
        "temp_file_limit": f"{max(256, disk * 1024 // 4)}MB",
        "statement_timeout": spec.statement_timeout_ms,
        "lock_timeout": spec.lock_timeout_ms,
        "idle_in_transaction_session_timeout": spec.idle_in_transaction_session_timeout_ms,
        "log_min_duration_statement": _or(spec.log_min_duration_statement_ms, -1),
        "log_statement": spec.log_statement,
        "timezone": spec.timezone,
        "default_text_search_config": "pg_catalog.english",
        "jit": False,
    }


def _reloadable(view: View, *, read_only: bool) -> dict[str, Value]:
    """Return what a reload takes up. ``read_only``: the disk is full, so that only a session that says so may write."""
    found: dict[str, Value] = {
        "ssl": True,
        "ssl_cert_file": "{{dir}}/tls/cert.pem",
        "ssl_key_file": "{{dir}}/tls/key.pem",
        **tuning(view),
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "lc_messages": "C",
        "default_transaction_read_only": read_only,
    }
    if line_of(view.release) >= 17:
        found["allow_alter_system"] = False
    return found


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
