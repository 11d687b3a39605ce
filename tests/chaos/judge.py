"""What has to hold when the faults are over: everything has come to its end, and nothing is doubled, lost or orphaned.

Reads the portal's database, the processes, the listening ports and the directories; believes no answer of the API.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from portal.clusters.backends.local import proc
from tests.chaos import processes
from tests.chaos.customer import Customer
from tests.chaos.faults import portal_database
from tests.chaos.island import Island

PORTS = range(20000, 32000)
OPEN = """
    select o.type, o.state, o.message, o.created_at, r.name from resources_operation o
    join resources_resource r on r.id = o.resource_id where o.state in ('queued', 'running')
"""
RESTLESS = """
    select name, state, health, generation, observed_generation, conditions, next_reconcile_at, lease_until, now()
    from resources_resource where purged_at is null and (
        lease_until is not null or (deletion_requested_at is null and (
            observed_generation < generation or (running and (state, health) <> ('running', 'healthy'))
            or (not running and state <> 'stopped')))
        or (deletion_requested_at is not null and deleted_at is null))
"""
RESTLESS_PARTS = """
    select r.name as service, c.kind, c.name, c.state, c.conditions from resources_child c
    join resources_resource r on r.id = c.resource_id where r.purged_at is null and r.deleted_at is null
    and (c.state in ('pending', 'running') or c.deletion_requested_at is not null)
"""
LIVING = "select id, handle, name, state from resources_resource where purged_at is null"
PARTS = """
    select r.name as service, c.kind, c.name, c.state, c.facts from resources_child c
    join resources_resource r on r.id = c.resource_id where r.purged_at is null
"""
CREATED = "select r.name, count(*) from resources_operation o join resources_resource r on r.id = o.resource_id"


class Judge:
    """Looks at one island after the faults."""

    def __init__(self, island: Island) -> None:
        self.island = island

    def rows(self, query: str) -> list[dict[str, Any]]:
        with psycopg.connect(portal_database(self.island), row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()

    # ---- come to an end ----------------------------------------------------------------------------------------------

    def restless(self) -> list[str]:
        """Name what has not come to its end yet."""
        try:
            found = [f"{what}: {row}" for what, row in self._unfinished()]
        except psycopg.OperationalError as error:
            return [f"the portal's database: {error}"]
        return found + [f"not ready: {state}" for state in [self.readiness()] if state]

    def _unfinished(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for what, query in (("operation", OPEN), ("service", RESTLESS), ("part", RESTLESS_PARTS)):
            for row in self.rows(query):
                yield what, row

    def readiness(self) -> str:
        """Return what ``/readyz`` misses; empty when everything answers."""
        try:
            with urllib.request.urlopen(f"{self.island.url}/readyz", timeout=10):
                return ""
        except urllib.error.HTTPError as error:
            return error.read().decode(errors="replace")
        except OSError as error:
            return str(error)

    # ---- nothing doubled, lost or orphaned ---------------------------------------------------------------------------

    def faults(self, customers: Iterable[Customer]) -> list[str]:
        """Name everything that is not as it should be, with what customers were promised."""
        customers = list(customers)
        return [
            *self.rows_of_services(customers),
            *self.rows_of_parts(customers),
            *self.processes(),
            *self.ports(),
            *self.directories(),
        ]

    def rows_of_services(self, customers: list[Customer]) -> Iterator[str]:
        promised = sorted(book.name for customer in customers for book in customer.books)
        there = sorted(row["name"] for row in self.rows(LIVING))
        if promised != there:
            yield f"services: promised {promised}, there are {there}"
        for row in self.rows(f"{CREATED} where o.type = 'create' group by r.name having count(*) > 1"):
            yield f"created more than once: {row}"

    def rows_of_parts(self, customers: list[Customer]) -> Iterator[str]:
        rows = self.rows(PARTS)
        for book in (book for customer in customers for book in customer.books):
            mine = [row for row in rows if row["service"] == book.name]
            made = sorted(
                row["name"] for row in mine if row["kind"] in ("users", "databases") and row["name"] not in book.unsure
            )
            promised = sorted([*book.users, *(book.content if book.store.places else ()), "admin"])
            if made != promised:
                yield f"parts of {book.name}: promised {promised}, there are {made}"
            ready = sum(row["kind"] == "backups" and row["state"] == "succeeded" for row in mine)
            if ready < len(book.backups):
                yield f"backups of {book.name}: promised {len(book.backups)}, there are {ready}"

    def processes(self) -> Iterator[str]:
        living = {row["handle"]: row["state"] for row in self.rows(LIVING)}
        for handle, state in living.items():
            count, wanted = len(processes.engines(self.island, handle)), int(state == "running")
            if count != wanted:
                yield f"{handle} is {state} and has {count} engines"
            yield from self._companions(handle, state)
        for handle in proc.by_instance(self.island.data).keys() - living.keys():
            yield f"processes of {handle}, which is gone"
        roots = {role: self._run_as(role) for role in (*processes.ROLES, processes.UP)}
        yield from (f"{role} runs {len(pids)} times: {pids}" for role, pids in roots.items() if len(pids) != 1)
        yield from self._strays({pid for pids in roots.values() for pid in pids})

    def _companions(self, handle: str, state: str) -> Iterator[str]:
        """Name companions that are missing, doubled, or not asked for."""
        asked = processes.companions_asked(self.island, handle) if state == "running" else set()
        there = processes.companions(self.island, handle)
        for name in sorted(asked | there.keys()):
            count, wanted = len(there.get(name, ())), int(name in asked)
            if count != wanted:
                yield f"{handle} is {state} and has {count} processes of its companion {name}"

    def _run_as(self, role: str) -> list[int]:
        """Return the processes that were started as a role: leaders of a session with its name in the environment."""
        if role == processes.UP:
            ours = self.island.processes()
            return [
                pid
                for pid, command in ours.items()
                if "manage.py up" in command and proc.environ(pid).get("ARCHIPEL_ROLE") is None
            ]
        table = proc.every()
        return [pid for pid, one in table.items() if one.session == pid and self._is(pid, role)]

    def _is(self, pid: int, role: str) -> bool:
        marks = proc.environ(pid)
        return marks.get("ARCHIPEL_DATA") == str(self.island.data) and marks.get("ARCHIPEL_ROLE") == role

    def _strays(self, roots: set[int]) -> Iterator[str]:
        """Name processes of the instance that come from none of its roles and belong to no service."""
        table = proc.every()
        known = proc.descendants(roots, table)
        for pid, command in self.island.processes().items():
            if pid in table and pid not in known and not proc.environ(pid).get("ARCHIPEL_SERVICE"):
                yield f"a process of nobody: {pid} {command}"

    def ports(self) -> Iterator[str]:
        handles = {row["handle"]: row["state"] for row in self.rows(LIVING)}
        reserved = {
            row["port"]: row["handle"] for row in self.rows("select port, handle from clusters_portreservation")
        }
        ours = {pid: handle for handle in handles for pid in proc.of_instance(self.island.data, handle)}
        listening = {port: ours[pid] for port, pid in processes.listening(set(ours)).items() if port in PORTS}
        yield from (
            f"port {port} is reserved for {handle}, which is gone"
            for port, handle in reserved.items()
            if handle not in handles
        )
        yield from (
            f"{handle} listens on {port} without a reservation"
            for port, handle in listening.items()
            if reserved.get(port) != handle
        )
        yield from (
            f"{handle} runs and does not listen"
            for handle, state in handles.items()
            if state == "running" and handle not in listening.values()
        )

    def directories(self) -> Iterator[str]:
        living = {row["handle"] for row in self.rows(LIVING)}
        there = set(processes.handles(self.island))
        if living != there:
            yield f"directories: without a service {there - living}, missing {living - there}"
        yield from (f"removal cut off: {left.name}" for left in self.island.inside("services").glob(".gone-*"))
        yield from (
            f"sockets of {d.name}, which is gone"
            for d in self.island.socket.iterdir()
            if d.is_dir() and d.name not in living
        )
        yield from self.artifacts()

    def artifacts(self) -> Iterator[str]:
        """Compare the files of backups with the rows of those that are complete; each has a directory of its own."""
        names = {row["name"]: row["handle"] for row in self.rows(LIVING)}
        kept = {
            f"{names[row['service']]}/artifacts/{row['facts']['artifact']}"
            for row in self.rows(PARTS)
            if row["kind"] == "backups" and row["state"] == "succeeded"
        }
        services = self.island.inside("services")
        there = {str(path.relative_to(services)) for path in services.glob("*/artifacts/*")}
        yield from (f"a backup's file is lost: {name}" for name in sorted(kept) if not (services / name).is_file())
        yield from (
            f"a file of no backup: {name}" for name in sorted(there - {str(Path(name).parent) for name in kept})
        )

    # ---- nothing left ------------------------------------------------------------------------------------------------

    def leftovers(self) -> list[str]:
        """Name what is there of services when all of them are deleted."""
        found = [f"service {row}" for row in self.rows(LIVING)]
        found += [f"port {row}" for row in self.rows("select port, handle from clusters_portreservation")]
        found += [f"directory {handle}" for handle in processes.handles(self.island)]
        found += [f"processes of {handle}" for handle in proc.by_instance(self.island.data)]
        return found + list(self.directories())

    def hints(self) -> str:
        """Return what the portal's own logs say last, for a failure's text."""
        parts = []
        for log in sorted(self.island.inside("log").glob("*.log")):
            lines = [line for line in log.read_text(errors="replace").splitlines() if '"GET ' not in line]
            parts.append(f"--- {log.name}\n" + "\n".join(lines[-25:]))
        return "\n".join(parts) + "\n" + json.dumps(processes.handles(self.island))
