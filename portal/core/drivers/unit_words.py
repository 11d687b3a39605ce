"""What a unit's state means to somebody who waits for the service: words that all engines of the local backend share.

Pure. ``engine`` is what customers call the program, as at the beginning of a sentence.
"""

from collections.abc import Iterator

from portal.core.conditions import Condition, Status, not_ready
from portal.core.drivers.units import Phase, RunResult, UnitState
from portal.core.drivers.views import View

NEARLY_FULL, FULL, ROOM_AGAIN = 0.85, 1.0, 0.95  # of the disk: warned of, read-only, and writable again

# What each phase means before the engine answers.
_ON_THE_WAY = {
    Phase.ABSENT: ("Queued", "The order has been taken; this machine begins with it in a moment."),
    Phase.QUEUED: ("Queued", "The order has been taken; this machine begins with it in a moment."),
    Phase.FETCHING: ("FetchingEngine", "The engine's package is being fetched; this is needed once per version."),
    Phase.PREPARING: ("Preparing", "The data directory is being made."),
    Phase.STARTING: ("Starting", "{engine} is starting."),
    Phase.RUNNING: ("NotAnswering", "{engine} runs but does not answer; the platform keeps trying."),
    Phase.STOPPING: ("Starting", "{engine} is restarting."),
    Phase.STOPPED: ("Starting", "{engine} is about to start."),
}
# Cause of a failure → (whether nothing will change by itself, what it means and who can help).
_FAILED = {
    "PackageFetchFailed": (False, "The engine's package can't be fetched: {}. An operator can help; we keep trying."),
    "PortTaken": (False, "{} An operator has to end that program; we keep trying."),
    "StartFailed": (False, "{engine} does not start: {}. We keep trying; its log says more."),
    "CrashLoop": (True, "{engine} ends again and again: {}. See the log, undo your last change or restore a backup."),
    "PrepareFailed": (False, "The data directory can't be made: {}. An operator can help; we keep trying."),
    "InvalidUnit": (True, "The platform can't run this configuration: {}. An operator has to help."),
}
_UNKNOWN = (False, "Something went wrong: {}. The platform keeps trying.")
_BACKUP_UNUSABLE = (True, "The backup can't be used: {}. Delete this service and restore another backup.")


def stopped(state: UnitState, engine: str, kept: str) -> Iterator[Condition]:
    """Tell of a service that was asked to stop; ``kept`` is a sentence of what is still there meanwhile."""
    if state.phase is not Phase.STOPPED:
        yield not_ready("Stopping", f"{engine} is writing everything out and stopping.")
        return
    yield not_ready("Stopped", "The service is stopped. Start it to use it.")
    yield Condition("Stopped", Status.TRUE, "Stopped", kept)


def failed(view: View, state: UnitState, engine: str) -> Iterator[Condition]:
    """Say why it does not run, and whether that will change without anybody's help."""
    is_final, words = _FAILED.get(state.reason, _UNKNOWN)
    if state.reason == "PrepareFailed" and view.origin is not None:
        is_final, words = _BACKUP_UNUSABLE
    reason, message = state.reason or "Failed", words.format(state.message.rstrip("."), engine=engine)
    yield not_ready(reason, message)
    if is_final:
        yield Condition("Stalled", Status.TRUE, reason, message)


def on_the_way(view: View, state: UnitState, engine: str) -> Condition:
    """Say what is waited for until it answers."""
    reason, message = _ON_THE_WAY[state.phase]
    if state.reason == "Crashed":
        return not_ready("Crashed", f"{engine} ended unexpectedly and is being started again: {state.message}")
    if state.phase is Phase.PREPARING and view.origin is not None and not view.origin.in_place:
        return not_ready("RestoringBackup", "The backup is being unpacked.")
    if state.phase is Phase.FETCHING and state.steps:
        message = state.steps[-1].message[:1].upper() + state.steps[-1].message[1:] or message
    return not_ready(reason, f"{message.format(engine=engine)} {state.message}".strip())


def warning(kind: str, message: str) -> Condition:
    """Tell of something that asks for attention while the service can be used."""
    return Condition(kind, Status.TRUE, kind, message)


def restore_warning(view: View) -> Iterator[Condition]:
    """Remember a restore over the service itself that did not work, until the next one (fact ``restore_failed``)."""
    origin = view.origin
    if origin is not None and origin.in_place and view.facts.get("restore_failed") == origin.key:
        message = "The last restore did not work; the data from before it is in place. Try again, or a new service."
        yield warning("RestoreFailed", message)


# ---- the disk --------------------------------------------------------------------------------------------------------


def disk_warning(view: View, state: UnitState, room: int, what: str) -> Iterator[Condition]:
    """Warn of a disk of ``room`` bytes that fills; ``what`` says what customers can delete, or can still do."""
    used = data_bytes(view, state) / room
    remedy = f"Ask for a larger disk in the settings, or delete {what}."
    if is_read_only(view, state, room):
        yield warning("DiskFull", f"The disk is full ({used:.0%}); only reading works. {remedy}")
    elif used >= NEARLY_FULL:
        yield warning("DiskNearlyFull", f"The disk is {used:.0%} full. {remedy}")


def is_read_only(view: View, state: UnitState, room: int) -> bool:
    """Whether writes are held off: from a full disk on, until there is room again (fact ``read_only``)."""
    return data_bytes(view, state) / room >= (ROOM_AGAIN if view.facts.get("read_only") else FULL)


def data_bytes(view: View, state: UnitState) -> int:
    """Return what the service takes of its own disk: backups are not on it."""
    kept = sum(int(child.facts.get("bytes", 0)) for child in view.of_kind("backups"))
    return max(0, state.disk_bytes - kept)


def rounded_bytes(view: View, state: UnitState, room: int) -> int:
    """Return ``data_bytes`` in steps of about a hundredth of the room: a fact does not change with every row."""
    step = 1 << (room // 128).bit_length()
    return data_bytes(view, state) // step * step


# ---- runs ------------------------------------------------------------------------------------------------------------


def succeeded(result: RunResult | None) -> bool:
    """Whether work was done."""
    return result is not None and result.state == "succeeded"
