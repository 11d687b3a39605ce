"""The processes of a running portal, by what they do: what faults are aimed at and what the judge counts."""

import json
from collections.abc import Iterator

from portal.clusters.backends.local import proc
from portal.clusters.backends.local.layout import Home
from tests.chaos.island import Island

ROLES = ("web", "worker", "beat", "watch", "supervisor", "database", "broker", "guardian")
UP = "up"
SERVERS = ("postgres", "valkey-server")


def of_role(island: Island, role: str) -> int | None:
    """Return the process that runs a role, or ``up`` itself, by the record that is kept of it; None while none does."""
    try:
        record = json.loads(island.inside("run", f"{role}.json").read_text())
    except (OSError, ValueError):
        return None
    return record["pid"] if proc.is_same(record["pid"], record["start"]) else None


def below(pid: int) -> list[int]:
    """Return the children of a process, and theirs."""
    return sorted(proc.descendants([pid], proc.every()) - {pid})


def handles(island: Island) -> list[str]:
    """Return the services that have a directory."""
    try:
        return sorted(entry.name for entry in island.inside("services").iterdir() if not entry.name.startswith("."))
    except OSError:
        return []


def engines(island: Island, handle: str) -> list[int]:
    """Return the engine's first process of a service: one, or none while it stands still."""
    found = proc.of_instance(island.data, handle)
    servers = {pid for pid in found if _is_server(pid) and not proc.companion_of(pid)}
    table = proc.every()
    beside = proc.descendants([pid for pid in found if proc.companion_of(pid)], table)
    return sorted(pid for pid in (servers - beside) & table.keys() if table[pid].parent not in servers)


def _is_server(pid: int) -> bool:
    words = command(pid).split()
    return bool(words) and words[0].rstrip(":").endswith(SERVERS) and "--single" not in words


def companions(island: Island, handle: str) -> dict[str, list[int]]:
    """Return each companion's first process inside its sandbox: one, or more where it is doubled."""
    table, found = proc.every(), proc.of_instance(island.data, handle)
    marks = {pid: proc.environ(pid).get(proc.COMPANION, "") for pid in found & table.keys()}
    runs = {pid: name for pid, name in marks.items() if name and "/" not in name and not _is_sandbox(pid)}
    first: dict[str, list[int]] = {}
    for pid in sorted(runs):
        if table[pid].parent not in runs:
            first.setdefault(runs[pid], []).append(pid)
    return first


def _is_sandbox(pid: int) -> bool:
    return command(pid).partition(" ")[0].endswith("/bwrap")


def companions_asked(island: Island, handle: str) -> set[str]:
    """Return the companions that the wish of a service names."""
    wish = Home(island.inside(), handle).wish()
    return {one["name"] for one in wish.unit.get("companions", ())} if wish else set()


def command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - short-lived, and often
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def listening(pids: set[int]) -> dict[int, int]:
    """Return the TCP ports that these processes listen on, each with one of them."""
    owners = {inode: pid for pid in pids for inode in proc_sockets(pid)}
    return {port: owners[inode] for port, inode in _sockets() if inode in owners}


def _sockets() -> Iterator[tuple[int, str]]:
    """Yield port and inode of each listening socket (proc_pid_net(5): state 0A)."""
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as lines:  # noqa: PTH123
            for words in (line.split() for line in list(lines)[1:]):
                if words[3] == "0A":
                    yield int(words[1].rpartition(":")[2], 16), words[9]


def proc_sockets(pid: int) -> Iterator[str]:
    from pathlib import Path

    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                yield target[8:-1]
    except OSError:
        return
