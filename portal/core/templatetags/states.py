"""The words of state and health as people see them: label, tone and icon. Color never says anything alone."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Word(NamedTuple):
    """How a state is shown. ``moving`` states have a turning icon."""

    label: str | Promise
    tone: str  # success, warning, danger, info, neutral
    icon: str
    moving: bool = False


WORDS: dict[str, Word] = {
    # services
    "pending_approval": Word(_("Pending approval"), "warning", "hourglass"),
    "provisioning": Word(_("Provisioning"), "info", "loader-circle", True),
    "running": Word(_("Running"), "success", "circle-check"),
    "updating": Word(_("Updating"), "info", "loader-circle", True),
    "restoring": Word(_("Restoring"), "info", "loader-circle", True),
    "stopping": Word(_("Stopping"), "neutral", "loader-circle", True),
    "stopped": Word(_("Stopped"), "neutral", "circle-pause"),
    "starting": Word(_("Starting"), "info", "loader-circle", True),
    "suspended": Word(_("Suspended"), "warning", "lock"),
    "deleting": Word(_("Deleting"), "neutral", "loader-circle", True),
    "deleted": Word(_("In the bin"), "neutral", "trash-2"),
    "failed": Word(_("Failed"), "danger", "octagon-x"),
    "purged": Word(_("Purged"), "neutral", "ban"),
    # health
    "healthy": Word(_("Healthy"), "success", "heart-pulse"),
    "degraded": Word(_("Degraded"), "warning", "triangle-alert"),
    "unavailable": Word(_("Unavailable"), "danger", "unplug"),
    "unknown": Word(_("Unknown"), "neutral", "circle-question-mark"),
    # operations and runs
    "queued": Word(_("Queued"), "neutral", "clock"),
    "succeeded": Word(_("Succeeded"), "success", "circle-check"),
    "cancelled": Word(_("Cancelled"), "neutral", "ban"),
    "timed_out": Word(_("Timed out"), "danger", "timer"),
    # parts: databases, users, backups
    "creating": Word(_("Creating"), "info", "loader-circle", True),
    "ready": Word(_("Ready"), "success", "circle-check"),
    "exporting": Word(_("Exporting"), "info", "loader-circle", True),
    # versions and offerings
    "preview": Word(_("Preview"), "info", "flask-conical"),
    "available": Word(_("Available"), "success", "circle-check"),
    "deprecated": Word(_("Deprecated"), "warning", "clock"),
    "end_of_support": Word(_("End of support"), "warning", "triangle-alert"),
    "retired": Word(_("Retired"), "neutral", "archive"),
}

# An operation that runs is under way; a service that runs is well.
OPERATION_RUNNING = Word(_("Running"), "info", "loader-circle", True)

# Steps of an operation.
STEPS: dict[str, Word] = {
    "done": Word(_("Done"), "success", "circle-check"),
    "running": OPERATION_RUNNING,
    "waiting": Word(_("Waiting"), "neutral", "circle"),
    "failed": Word(_("Failed"), "danger", "circle-x"),
    "skipped": Word(_("Skipped"), "neutral", "circle-dashed"),
}

TONE_ICONS = {
    "success": "circle-check",
    "warning": "triangle-alert",
    "danger": "circle-alert",
    "info": "info",
    "neutral": "info",
}
# Django's message levels, by their tags.
MESSAGE_TONES = {"debug": "neutral", "info": "info", "success": "success", "warning": "warning", "error": "danger"}


def word(state: str, *, operation: bool = False) -> Word:
    """Return how ``state`` is shown; a word that is not known is shown as it is."""
    if operation and state == "running":
        return OPERATION_RUNNING
    return WORDS.get(state) or Word(state.replace("_", " ").capitalize(), "neutral", "circle-question-mark")


def step_word(state: str) -> Word:
    """Return how a step's state is shown; an operation's own end (``succeeded`` …) closes the list as a step too."""
    return STEPS.get(state) or word(state)
