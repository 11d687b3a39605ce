"""What a customer is told of a Valkey's state: whether it can be used, and what warns. Pure."""

from collections.abc import Iterator

from apps.databases.offerings.valkey import backups, nodes, shape
from portal.core.conditions import Condition, Status, not_ready, ready
from portal.core.drivers import Phase, UnitState, View

NEARLY_FULL, FULL, ROOM_AGAIN = 0.85, 1.0, 0.95
LAGGING_SECONDS, LAGGING_BYTES = 10, 16 << 20
GIB = 1 << 30

# What each phase means to somebody who waits, before the engine answers.
_ON_THE_WAY = {
    Phase.ABSENT: ("Queued", "The order has been taken; this machine begins with it in a moment."),
    Phase.QUEUED: ("Queued", "The order has been taken; this machine begins with it in a moment."),
    Phase.FETCHING: ("FetchingEngine", "The engine's package is being fetched; this is needed once per version."),
    Phase.PREPARING: ("Preparing", "The data directory is being made."),
    Phase.STARTING: ("Starting", "Valkey is starting."),
    Phase.RUNNING: ("NotAnswering", "Valkey runs but does not answer; the platform keeps trying."),
    Phase.STOPPING: ("Starting", "Valkey is restarting."),
    Phase.STOPPED: ("Starting", "Valkey is about to start."),
}
# Cause of a failure → (whether nothing will change by itself, what it means and who can help). ``%s`` is the cause.
_FAILED = {
    "PackageFetchFailed": (False, "The engine's package can't be fetched: %s. An operator can help; we keep trying."),
    "PortTaken": (False, "%s An operator has to end that program; we keep trying."),
    "StartFailed": (False, "Valkey does not start: %s. We keep trying; its log says more."),
    "CrashLoop": (True, "Valkey ends again and again: %s. See the log, undo your last change or restore a backup."),
    "PrepareFailed": (False, "The data directory can't be made: %s. An operator can help; we keep trying."),
    "InvalidUnit": (True, "The platform can't run this configuration: %s. An operator has to help."),
}


def conditions(view: View, state: UnitState, *, restoring: bool) -> Iterator[Condition]:
    """Say what there is to say, readiness first."""
    if not view.running:
        yield from _stopped(state)
    elif restoring:
        yield not_ready("RestoringBackup", "The backup is being put in the place of the data.")
    elif state.phase is Phase.FAILED:
        yield from _failed(view, state)
    elif state.phase is not Phase.RUNNING or not state.ready:
        yield _on_the_way(view, state)
    elif not all(_succeeded(state, key) for key in shape.joined_keys(view)):
        yield not_ready("JoiningCluster", "The nodes are finding together.")
    else:
        yield ready()
        yield from _warnings(view, state)


def _succeeded(state: UnitState, key: str) -> bool:
    result = state.runs.get(key)
    return result is not None and result.state == "succeeded"


def _stopped(state: UnitState) -> Iterator[Condition]:
    if state.phase is Phase.STOPPED:
        yield not_ready("Stopped", "The service is stopped. Start it to use it.")
        yield Condition(
            "Stopped", Status.TRUE, "Stopped", "Address and logins are kept, and the data that is persisted."
        )
        return
    yield not_ready("Stopping", "Valkey is writing everything out and stopping.")


def _failed(view: View, state: UnitState) -> Iterator[Condition]:
    is_final, words = _FAILED.get(state.reason, (False, "Something went wrong: %s. The platform keeps trying."))
    if state.reason == "PrepareFailed" and view.origin is not None:
        is_final, words = True, "The backup can't be used: %s. Delete this service and restore another backup."
    reason, message = state.reason or "Failed", words.replace("%s", state.message.rstrip("."), 1)
    yield not_ready(reason, message)
    if is_final:
        yield Condition("Stalled", Status.TRUE, reason, message)


def _on_the_way(view: View, state: UnitState) -> Condition:
    reason, message = _ON_THE_WAY[state.phase]
    if state.reason == "Crashed":
        return not_ready("Crashed", f"Valkey ended unexpectedly and is being started again: {state.message}")
    if state.phase is Phase.PREPARING and backups.is_born_from_backup(view):
        return not_ready("RestoringBackup", "The backup is being laid out.")
    if state.phase is Phase.FETCHING and state.steps:
        message = state.steps[-1].message[:1].upper() + state.steps[-1].message[1:] or message
    if state.phase is Phase.RUNNING and not state.reason:
        return not_ready("Starting", "Valkey runs; its front and other nodes are starting.")
    return not_ready(reason, f"{message} {state.message}".strip())


# ---- warnings --------------------------------------------------------------------------------------------------------


def _warnings(view: View, state: UnitState) -> Iterator[Condition]:
    yield from _refused(view, state)
    yield from _memory(view, state)
    yield from _disk(view, state)
    yield from _replicas(view, state)
    if state.sample.get("persistence_errors"):
        yield _warning("PersistenceFailing", "Writing to the disk fails; keys are safe in memory alone. See the log.")
    origin = view.origin
    if origin is not None and origin.in_place and view.facts.get("restore_failed") == origin.key:
        message = "The last restore did not work; the data from before it is in place. Try again, or a new service."
        yield _warning("RestoreFailed", message)


def _refused(view: View, state: UnitState) -> Iterator[Condition]:
    """Tell of a setting that the engine does not take."""
    results = (state.runs.get(key) for key in shape.settings_keys(view))
    for result in [result for result in results if result and result.state == "failed"][:1]:
        said = " ".join(result.output.split())[:200]
        yield _warning("SettingsRefused", f"The engine does not take these settings: {said}. Undo your last change.")


def _warning(kind: str, message: str) -> Condition:
    return Condition(kind, Status.TRUE, kind, message)


def _memory(view: View, state: UnitState) -> Iterator[Condition]:
    """Warn of memory that fills where writes will be refused, and of keys that have to go where they make room."""
    used, most = state.sample.get("used_memory_bytes", 0.0), state.sample.get("max_memory_bytes", 0.0)
    policy = nodes.spec_of(view).maxmemory_policy
    remedy = "Choose a larger plan, delete keys or have others expire."
    if policy == "noeviction" and most and used / most >= NEARLY_FULL:
        yield _warning("MemoryNearlyFull", f"Keys take {used / most:.0%} of the memory; at 100 % writes fail. {remedy}")
    evicted = int(state.sample.get("evicted_keys_total", 0))
    before = int(view.facts.get("evicted_keys", evicted))
    if evicted > before:
        yield _warning("EvictingKeys", f"{evicted - before} keys were removed to make room ({policy}). {remedy}")


def _disk(view: View, state: UnitState) -> Iterator[Condition]:
    """Warn of a disk that fills; a full one takes no more writes until it was given room."""
    used = data_bytes(view, state) / _disk_bytes(view)
    remedy = "Ask for a larger disk in the settings, or delete keys."
    if is_read_only(view, state):
        yield _warning("DiskFull", f"The disk is full ({used:.0%}); logins can only read. {remedy}")
    elif used >= NEARLY_FULL:
        yield _warning("DiskNearlyFull", f"The disk is {used:.0%} full. {remedy}")


def is_read_only(view: View, state: UnitState) -> bool:
    return data_bytes(view, state) / _disk_bytes(view) >= (ROOM_AGAIN if view.facts.get("read_only") else FULL)


def data_bytes(view: View, state: UnitState) -> int:
    """Return what the service takes of its own disk: backups are not on it."""
    kept = sum(int(child.facts.get("bytes", 0)) for child in view.of_kind("backups"))
    return max(0, state.disk_bytes - kept)


def _disk_bytes(view: View) -> int:
    return nodes.disk_gib(view) * len(nodes.nodes(view)) * GIB


def rounded(used: int, view: View) -> int:
    """Return bytes in steps of about a hundredth of the disk, so that a fact does not change with every key."""
    step = 1 << (_disk_bytes(view) // 128).bit_length()
    return used // step * step


def _replicas(view: View, state: UnitState) -> Iterator[Condition]:
    if not nodes.has_replicas(view) or "replicas" not in state.sample:
        return
    missing = len(nodes.nodes(view)) - 1 - int(state.sample["replicas"])
    lag, behind = state.sample.get("replica_lag_seconds", 0.0), state.sample.get("replica_behind_bytes", 0.0)
    if missing > 0:
        yield _warning("ReplicaLagging", f"{missing} of the replicas do not follow the primary; they are catching up.")
    elif lag > LAGGING_SECONDS or behind > LAGGING_BYTES:
        yield _warning("ReplicaLagging", f"A replica is {lag:.0f} s and {behind / (1 << 20):.0f} MiB behind.")
