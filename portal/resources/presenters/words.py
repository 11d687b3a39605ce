"""What operations and their steps are called where people read them: the one place with labels for both."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from portal.core.offerings import Offering
from portal.resources.models import Operation

OPERATIONS: dict[str, Promise] = {
    "create": gettext_lazy("Create service"),
    "delete": gettext_lazy("Delete service"),
    "undelete": gettext_lazy("Bring back from the bin"),
    "update": gettext_lazy("Change settings"),
    "resize": gettext_lazy("Change plan"),
    "upgrade": gettext_lazy("Upgrade"),
    "restart": gettext_lazy("Restart"),
    "start": gettext_lazy("Start"),
    "stop": gettext_lazy("Stop"),
    "fork": gettext_lazy("Fork"),
    "restore": gettext_lazy("Restore"),
    "backup": gettext_lazy("Back up"),
}
# An operation on a part is called ``create_database``: the verb, and the slug of the kind without its plural s.
ON_PARTS: dict[str, Promise] = {
    "create": gettext_lazy("Create %(kind)s"),
    "update": gettext_lazy("Change %(kind)s"),
    "delete": gettext_lazy("Delete %(kind)s"),
    "rotate": gettext_lazy("Rotate %(kind)s"),
    "retry": gettext_lazy("Retry %(kind)s"),
}
MANY = gettext_lazy("Change many %(kind)s")  # an operation on many parts is called ``change_devices``
STEPS: dict[str, Promise] = {
    "accepted": gettext_lazy("Accepted"),
    "fetch": gettext_lazy("Fetch the software"),
    "prepare": gettext_lazy("Prepare the data directory"),
    "apply": gettext_lazy("Hand over to the cluster"),
    "start": gettext_lazy("Start the engine"),
    "probe": gettext_lazy("Wait for the first answer"),
    "companions": gettext_lazy("Start the processes beside it"),
    "succeeded": pgettext_lazy("last step of an operation", "Done"),
    "failed": pgettext_lazy("last step of an operation", "Failed"),
    "cancelled": pgettext_lazy("last step of an operation", "Cancelled"),
    "timed_out": pgettext_lazy("last step of an operation", "Out of time"),
}


def operation_words(operation: Operation) -> str:
    """Return an operation's type and subject as people read it: ``Create database shop``, ``Back up``."""
    verb = operation_label(operation.type, operation.resource.offering)
    subject = operation.child_name
    made_name = subject.startswith(f"{operation.type}-")  # a run names its part itself: backup-20261125-143052
    return verb if made_name or not subject else f"{verb} {subject}"


def operation_label(kind: str, offering: Offering) -> str:
    """Return what a type of operation is called; one without a label is shown as its name."""
    if kind in OPERATIONS:
        return str(OPERATIONS[kind])
    verb, _underscore, part = kind.partition("_")
    singular = next((k.singular for k in offering.children if k.slug.removesuffix("s") == part), "")
    if singular and verb in ON_PARTS:
        return str(ON_PARTS[verb]) % {"kind": str(singular).lower()}
    plural = next((k.plural for k in offering.children if kind == f"change_{k.slug}"), "")
    return str(MANY) % {"kind": str(plural).lower()} if plural else kind.replace("_", " ").capitalize()


def step_label(name: str) -> str:
    """Return what a step is called; one without a label is shown as its name."""
    return str(STEPS[name]) if name in STEPS else name.replace("_", " ").capitalize() or _("Working on it")
