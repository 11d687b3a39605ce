"""What a customer is told of a Valkey's state: whether it can be used, and what warns. Pure."""

from collections.abc import Iterator

from apps.databases.offerings.valkey import nodes, shape
from portal.core.conditions import Condition, not_ready, ready
from portal.core.drivers import Phase, UnitState, View, unit_words
from portal.core.drivers.unit_words import succeeded, warning

ENGINE, NEARLY_FULL = "Valkey", 0.85  # of the memory
LAGGING_SECONDS, LAGGING_BYTES = 10, 16 << 20
GIB = 1 << 30


def conditions(view: View, state: UnitState, *, restoring: bool) -> Iterator[Condition]:
    """Say what there is to say, readiness first."""
    if not view.running:
        kept = "Address and logins are kept, and the data that is persisted."
        yield from unit_words.stopped(state, ENGINE, kept)
    elif restoring:
        yield not_ready("RestoringBackup", "The backup is being put in the place of the data.")
    elif state.phase is Phase.FAILED:
        yield from unit_words.failed(view, state, ENGINE)
    elif state.phase is not Phase.RUNNING or not state.ready:
        yield _on_the_way(view, state)
    elif not all(succeeded(state.runs.get(key)) for key in shape.joined_keys(view)):
        yield not_ready("JoiningCluster", "The nodes are finding together.")
    else:
        yield ready()
        yield from _warnings(view, state)


def _on_the_way(view: View, state: UnitState) -> Condition:
    if state.phase is Phase.RUNNING and not state.reason:
        return not_ready("Starting", "Valkey runs; its front and other nodes are starting.")
    return unit_words.on_the_way(view, state, ENGINE)


# ---- warnings --------------------------------------------------------------------------------------------------------


def _warnings(view: View, state: UnitState) -> Iterator[Condition]:
    yield from _refused(view, state)
    yield from _memory(view, state)
    yield from unit_words.disk_warning(view, state, room(view), "keys")
    yield from _replicas(view, state)
    if state.sample.get("persistence_errors"):
        yield warning("PersistenceFailing", "Writing to the disk fails; keys are safe in memory alone. See the log.")
    yield from unit_words.restore_warning(view)


def _refused(view: View, state: UnitState) -> Iterator[Condition]:
    """Tell of a setting that the engine does not take."""
    results = (state.runs.get(key) for key in shape.settings_keys(view))
    for result in [result for result in results if result and result.state == "failed"][:1]:
        said = " ".join(result.output.split())[:200]
        yield warning("SettingsRefused", f"The engine does not take these settings: {said}. Undo your last change.")


def _memory(view: View, state: UnitState) -> Iterator[Condition]:
    """Warn of memory that fills where writes will be refused, and of keys that have to go where they make room."""
    used, most = state.sample.get("used_memory_bytes", 0.0), state.sample.get("max_memory_bytes", 0.0)
    policy = nodes.spec_of(view).maxmemory_policy
    remedy = "Choose a larger plan, delete keys or have others expire."
    if policy == "noeviction" and most and used / most >= NEARLY_FULL:
        yield warning("MemoryNearlyFull", f"Keys take {used / most:.0%} of the memory; at 100 % writes fail. {remedy}")
    evicted = int(state.sample.get("evicted_keys_total", 0))
    before = int(view.facts.get("evicted_keys", evicted))
    if evicted > before:
        yield warning("EvictingKeys", f"{evicted - before} keys were removed to make room ({policy}). {remedy}")


def room(view: View) -> int:
    """Return the bytes that the disks of all nodes hold."""
    return nodes.disk_gib(view) * len(nodes.nodes(view)) * GIB


def _replicas(view: View, state: UnitState) -> Iterator[Condition]:
    if not nodes.has_replicas(view) or "replicas" not in state.sample:
        return
    missing = len(nodes.nodes(view)) - 1 - int(state.sample["replicas"])
    lag, behind = state.sample.get("replica_lag_seconds", 0.0), state.sample.get("replica_behind_bytes", 0.0)
    if missing > 0:
        yield warning("ReplicaLagging", f"{missing} of the replicas do not follow the primary; they are catching up.")
    elif lag > LAGGING_SECONDS or behind > LAGGING_BYTES:
        yield warning("ReplicaLagging", f"A replica is {lag:.0f} s and {behind / (1 << 20):.0f} MiB behind.")
