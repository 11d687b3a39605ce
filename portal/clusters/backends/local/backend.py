"""The local backend: records wishes for the supervisor and reads what it has seen. Never waits for an engine."""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from portal.clusters.backends.base import LogLine, Series, Tenancy, Wanted
from portal.clusters.backends.local import codec, discovery, files, logread, proc, render
from portal.clusters.backends.local.certificates import Authority
from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.ports import Allocator
from portal.clusters.backends.local.stores import TablePortStore
from portal.clusters.backends.local.supervisor import control
from portal.clusters.backends.local.supervisor.samples import UNITS
from portal.clusters.models import Cluster
from portal.core.drivers import GeneratedSecret, Phase, Unit, UnitState
from portal.core.errors import PermanentError, TemporaryError

IN_CASE = datetime.timedelta(seconds=2)  # the supervisor tells what it sees, unless its word got lost
_COMPANION_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class LocalBackend:
    """Drives this machine. ``data`` and ``allocator`` are given by tests only."""

    def __init__(
        self, cluster: Cluster | None, *, data: Path | None = None, allocator: Allocator | None = None
    ) -> None:
        self._data = data or Path(settings.ARCHIPEL_DATA)
        if allocator is None:
            if cluster is None:
                raise TypeError("a cluster or an allocator is needed")
            allocator = Allocator(TablePortStore(cluster), self._data)
        self._ports = allocator

    def _home(self, handle: str) -> Home:
        if not handle.isalnum():
            raise PermanentError("A service's handle is made of letters and digits.")
        return Home(self._data, handle)

    # ---- wishes ------------------------------------------------------------------------------------------------------

    def prepare(self, handle: str, tenancy: Tenancy) -> None:
        """Nothing: each service has a directory of its own, which is made with its first file."""

    def ensure_secrets(self, handle: str, secrets: Iterable[GeneratedSecret]) -> None:
        home = self._home(handle)
        if home.buried():
            raise PermanentError("This service was deleted.")
        try:
            home.ensure_secrets(secrets)
        except OSError as error:
            raise _disk_trouble(error) from error

    def documents(self, handle: str) -> Mapping[str, int]:
        return self._home(handle).kept_documents()

    def put_document(self, handle: str, kind: str, revision: int, pieces: Iterable[str]) -> None:
        home = self._home(handle)
        if home.buried():
            return
        try:
            home.put_document(kind, revision, pieces)
        except OSError as error:
            raise _disk_trouble(error) from error

    def apply(self, wanted: Wanted) -> None:
        unit: Unit = wanted.rendered
        _refuse_secrets_in_argv(unit)
        _refuse_odd_names(unit)
        home = self._home(wanted.handle)
        if home.buried():
            return
        ports = self._ports.ensure(wanted.handle, unit.ports)
        want = "running" if unit.running else "stopped"
        hosts = _more_hosts()
        wish = Wish(wanted.handle, wanted.fence, wanted.generation, want, codec.unit_to_json(unit), ports, hosts)
        self._record(home, wish)

    def delete(self, handle: str, *, fence: int) -> None:
        home = self._home(handle)
        if home.exists():
            self._record(home, Wish(handle, fence, 0, "absent"))
        self._release_ports(home)

    def _record(self, home: Home, wish: Wish) -> None:
        before = home.stamp()
        try:
            home.record(wish)
        except OSError as error:
            raise _disk_trouble(error) from error
        if home.stamp() != before:
            control.poke(self._data, home.handle)

    # ---- what is there -----------------------------------------------------------------------------------------------

    def read(self, handle: str) -> UnitState:
        home = self._home(handle)
        wish = home.wish()
        if wish is None:
            return UnitState(Phase.ABSENT)
        stored = (files.read_json(home.state_file) or {}).get("seen")
        try:
            state = codec.state_from_json(stored) if stored else UnitState(Phase.QUEUED)
        except ValueError:
            state = UnitState(Phase.QUEUED)
        sample = {name: float(value) for name, value in (files.read_json(home.sample_file) or {}).items()}
        return dataclasses.replace(
            state,
            ports=dict(wish.ports),
            sample=sample,
            disk_bytes=int(sample.get("disk_bytes", 0)),
            memory_bytes=int(sample.get("memory_bytes", 0)),
        )

    def patience(self) -> datetime.timedelta:
        return IN_CASE

    def leftovers(self, handle: str) -> list[str]:
        """Name what is left; ports are given back here once nothing can be listening on them."""
        home = self._home(handle)
        self._release_ports(home)
        found = [f"directory {path.name}" for path in (home.path, home.trash, home.run) if path.exists()]
        found += ["secrets"] if home.secrets_file.exists() else []
        found += [f"process {pid}" for pid in sorted(proc.of_instance(self._data, handle))]
        return found + [f"port {port} ({name})" for name, port in self._ports.held(handle).items()]

    def _release_ports(self, home: Home) -> None:
        if self._ports.held(home.handle) and not home.exists() and not proc.of_instance(self._data, home.handle):
            self._ports.release(home.handle)

    # ---- reads for people --------------------------------------------------------------------------------------------

    def reveal(self, handle: str, names: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
        stored = self._home(handle).secrets()
        return {name: stored[name] for name in names if name in stored}

    def logs(
        self, handle: str, *, since: datetime.datetime | None, until: datetime.datetime | None, limit: int
    ) -> list[LogLine]:
        home = self._home(handle)
        return logread.tail(home.log, home.secrets(), since, until, limit)

    def metrics(self, handle: str, *, since: datetime.datetime, until: datetime.datetime) -> list[Series]:
        question = {"op": "metrics", "handle": handle, "since": since.timestamp(), "until": until.timestamp()}
        try:
            answer = control.ask(self._data, question, timeout=2.0)
        except (OSError, ValueError) as error:
            raise TemporaryError("The region's supervisor does not answer; try again in a moment.") from error
        series = answer.get("series", {})
        return [
            Series(name, UNITS.get(name, ""), tuple(map(_point, points))) for name, points in sorted(series.items())
        ]

    def artifact(self, handle: str, name: str) -> BinaryIO:
        try:
            return files.open_below(self._home(handle).artifacts, name)
        except OSError as error:
            raise PermanentError("This backup's file is not there any more.") from error

    def ca_pem(self) -> str:
        try:
            return Authority(self._data).certificate_pem()
        except OSError as error:
            raise _disk_trouble(error) from error

    def discover(self) -> dict[str, object]:
        """Return what this host can do, for ``Cluster.capabilities``."""
        return discovery.discover(self._data, Path(settings.ARCHIPEL_PACKAGES))


def _refuse_secrets_in_argv(unit: Unit) -> None:
    commands = [unit.argv, unit.probe.argv, *(run.argv for run in unit.runs)]
    commands += [command.argv for command in (*unit.prepare, *unit.before_start)]
    for one in unit.companions:
        commands += [one.argv, *(command.argv for command in one.prepare), *([one.probe.argv] if one.probe else [])]
    commands += [unit.sampler.argv] if unit.sampler else []
    if any(render.mentions_secret(argv) for argv in commands):
        raise PermanentError("This service can't be run: a secret would stand in a command line.")


def _refuse_odd_names(unit: Unit) -> None:
    """A companion's name stands in file names and in the environment, and tells its log from those of others."""
    names = [one.name for one in unit.companions]
    if len(set(names)) < len(names) or not all(map(_COMPANION_NAME.fullmatch, names)) or "engine" in names:
        raise PermanentError("This service can't be run: its companions need names of their own.")


def _more_hosts() -> tuple[str, ...]:
    """Return further names that endpoints are reached by, for their certificates."""
    return tuple(getattr(settings, "LOCAL_SERVICE_HOSTS", ()))


def _point(pair: list[float]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def _disk_trouble(error: OSError) -> TemporaryError:
    return TemporaryError(f"The region can't write to its disk ({error.strerror}); an operator has to look.")
