"""Gets every local service's data into an archive so that it is whole: never a file-by-file copy of a running engine.

A service that runs and has backups of its own is asked for one, as a customer would ask, and serves on; it is born from
that again. What stands still is copied as it lies. Anything else (no backups, or not well) has to stand still for its
copy, which takes an operator's word (``--pause``).
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from portal.bootstrap.say import say
from portal.clusters.backends.local import files, proc
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor import control
from portal.clusters.backends.local.supervisor.stock import HANDLE
from portal.clusters.models import Cluster
from portal.core.actors import SYSTEM
from portal.core.errors import Problem
from portal.core.offerings import ChildKind, Nature
from portal.instance.care.archive import Service, Writer
from portal.instance.failed import Failed
from portal.resources import actions
from portal.resources.models import Child, DeletionPolicy, Resource

AT_ONCE = 4  # backups that are made at the same time
LOOK_EVERY = 0.5  # seconds
TIME_TO_STOP = 120.0
LEFT_OUT = {"unit.json", "fence", "hold", "sample.json", "log", ".lock"}  # the engine room writes them anew
MARK = "for_portal"  # among the facts of a backup that was made for an archive
WELL = ("healthy", "degraded")
BACKUP, COPY, PAUSE = "backup", "copy", "pause"
BORN_AGAIN = {"root", "prepared", "state.json"}  # what a service that is born from its backup begins without


@dataclass(slots=True)
class Job:
    """A service, and how its data is got."""

    resource: Resource
    home: Home
    how: str
    child: Child | None = None


def jobs() -> list[Job]:
    """Return what has to be done for each local service that has data here. Raises Failed.

    One that was never ready has none yet, and one that is being wiped has no use for it.
    """
    running = set(proc.by_instance(settings.ARCHIPEL_DATA)) - {HANDLE}
    if running and not control.ping(settings.ARCHIPEL_DATA):
        raise Failed("services are running here that nobody supervises. Run manage.py down, then this again.")
    rows = Resource.objects.filter(cluster__kind=Cluster.Kind.LOCAL, purged_at=None, ready_once_at__isnull=False)
    rows = rows.exclude(deletion_policy=DeletionPolicy.WIPE).order_by("id")
    found = []
    for resource in rows.select_related("project__organization", "cluster", "region"):
        home = Home(settings.ARCHIPEL_DATA, resource.handle)
        if home.exists():
            found.append(Job(resource, home, _how(resource, running)))
    return found


def _how(resource: Resource, running: set[str]) -> str:
    should_run = resource.running and not resource.in_bin and control.ping(settings.ARCHIPEL_DATA)
    if resource.handle not in running and not should_run:
        return COPY
    return BACKUP if backups_of(resource) and _is_well(resource) else PAUSE


def backups_of(resource: Resource) -> ChildKind | None:
    """Return the kind of a service's backups, where it can be born from one again in its region."""
    can = resource.offering.capabilities
    kind = resource.offering.child("backups")
    if kind is None or kind.nature is not Nature.RUN or "create" not in kind.verbs:
        return None
    able = all(one and "local" in getattr(one, "backends", ()) for one in (can.backup, can.restore))
    return kind if able else None


def _is_well(resource: Resource) -> bool:
    settled = resource.running and resource.is_settled and resource.deletion_requested_at is None
    return settled and resource.health in WELL


def gather(writer: Writer, found: list[Job], *, pause: bool) -> list[Service]:
    """Put every service in. Raises Failed, which names the service."""
    refuse_what_must_pause(found, pause=pause)
    online = [job for job in found if job.how == BACKUP]
    kept = []
    for start in range(0, len(online), AT_ONCE):
        together = online[start : start + AT_ONCE]
        for job in together:
            _ask(job, pause=pause)
        kept += [_from_backup(writer, job, pause=pause) for job in together if job.how == BACKUP]
    return kept + [_at_rest(writer, job) for job in found if job.how != BACKUP]


def refuse_what_must_pause(found: list[Job], *, pause: bool) -> None:
    """End before anything is done where a service would have to stand still and nobody has agreed to that."""
    names = ", ".join(sorted(job.resource.name for job in found if job.how == PAUSE))
    if names and not pause:
        raise Failed(
            f"{names}: can't be backed up while running (no backups of its own, or not well at the moment). "
            "Give --pause to have it stand still while its files are copied, or stop it first."
        )


# ---- by a backup of its own ------------------------------------------------------------------------------------------


def _ask(job: Job, *, pause: bool) -> None:
    """Ask for a backup by the action that customers use; where it is refused, the service may have to stand still."""
    kind = backups_of(job.resource)
    assert kind  # noqa: S101 - for the type checker
    try:
        with transaction.atomic():  # the engine sees it with its mark
            child = actions.create_child(SYSTEM, job.resource, kind).child
            assert child  # noqa: S101 - for the type checker
            child.facts = {MARK: True}
            child.save(update_fields=["facts"])
    except Problem as problem:
        if not pause:
            raise Failed(f"{job.resource.name}: {problem.detail} Or give --pause.") from problem
        job.how = PAUSE
        return
    job.child = child


def _from_backup(writer: Writer, job: Job, *, pause: bool) -> Service:
    child = job.child
    assert child  # noqa: S101 - for the type checker
    say(f"waiting for the backup of {job.resource.name}")
    if not _has_succeeded(job, child):
        if not pause:
            raise Failed(f"the backup of {job.resource.name} failed; its page says why. Try again, or give --pause.")
        return _at_rest(writer, job)
    artifacts = _finished_artifacts(job.resource)
    paths = [(path, path.name) for path in _kept(job.home) if path.name not in {*BORN_AGAIN, "artifacts"}]
    inside = [(job.home.artifacts / name, f"artifacts/{name}") for name in artifacts]
    writer.add_tree(member_of(job.resource), [*paths, *((path, name) for path, name in inside if path.exists())])
    return Service(job.resource.handle, job.resource.name, BACKUP, str(child.id))


def _has_succeeded(job: Job, child: Child) -> bool:
    kind = backups_of(job.resource)
    end = time.monotonic() + (kind.deadline_seconds if kind else 0) + 60
    while time.monotonic() < end:
        child.refresh_from_db()
        if child.state in ("succeeded", "failed", "cancelled"):
            return child.state == "succeeded"
        time.sleep(LOOK_EVERY)
    return False


def _finished_artifacts(resource: Resource) -> list[str]:
    """Return the directories of complete backups: nothing writes there any more."""
    rows = Child.objects.filter(resource=resource, state="succeeded", deletion_requested_at=None)
    facts = rows.values_list("facts", flat=True)
    names = {Path(str(fact["artifact"])).parts[0] for fact in facts if fact.get("artifact")}
    return sorted(names)


def tidy() -> None:
    """Take away the backups that were made for an archive, also for one that was cut off.

    A service that was restored from one needs it until it is up.
    """
    left = Child.objects.filter(facts__has_key=MARK, deletion_requested_at=None, resource__deletion_requested_at=None)
    for child in left.filter(resource__health__in=WELL).select_related("resource"):
        with contextlib.suppress(Problem):
            actions.delete_child(SYSTEM, child)


# ---- as it lies ------------------------------------------------------------------------------------------------------


def _at_rest(writer: Writer, job: Job) -> Service:
    """Copy the files of a service that stands still, and sees to it that it does."""
    if job.how != COPY:
        say(f"{job.resource.name} stands still while it is copied")
    with standing_still(job.home):
        writer.add_tree(member_of(job.resource), [(path, path.name) for path in _kept(job.home)])
    return Service(job.resource.handle, job.resource.name, COPY)


@contextlib.contextmanager
def standing_still(home: Home) -> Iterator[None]:
    """Have a service stopped for the time of the block; a kill of ours lets it go on. Raises Failed."""
    try:
        with files.locked(home.hold_file):
            control.poke(home.data, home.handle)
            _await_rest(home)
            yield
    finally:
        control.poke(home.data, home.handle)


def _await_rest(home: Home) -> None:
    end = time.monotonic() + TIME_TO_STOP
    while proc.of_instance(home.data, home.handle):
        if time.monotonic() > end or not control.ping(home.data):
            raise Failed(f"{home.handle} does not stop: processes of it are alive. See its log, or run: manage.py down")
        time.sleep(0.1)


def _kept(home: Home) -> list[Path]:
    """Return what of a service's directory goes into an archive."""
    return sorted(path for path in home.path.iterdir() if path.name not in LEFT_OUT and not _is_draft(path))


def _is_draft(path: Path) -> bool:
    return path.name.startswith(".")


def member_of(resource: Resource) -> str:
    """Return the archive's member that holds a service's files."""
    return f"services/{resource.handle}.tar.gz"


def others() -> int:
    """Return how many living services are run elsewhere: their rows are in the archive, their data is not."""
    return Resource.objects.filter(purged_at=None).exclude(cluster__kind=Cluster.Kind.LOCAL).count()
