"""The parts of a Valkey that have a life of their own: users and backups."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.databases.offerings.valkey.spec import BackupSpec, UserSpec
from portal.core.offerings import ChildKind, Nature, Text

MAIN_USER = "admin"
OWN_NAMES = frozenset({"default", "platform", "front", "replication"})


def _main_user_stays(spec: Any) -> Text:
    return _("This is the service's main login. Rotate it to exchange it.") if spec.main else ""


USERS = ChildKind(
    slug="users",
    prefix="usr",
    singular=_("User"),
    plural=_("Users"),
    spec=UserSpec,
    icon="user",
    help=_(
        "Logins with the commands, keys and channels they may use. A rotation makes a successor beside the old one."
    ),
    empty=_("A login of its own for each application can be taken away without touching the others."),
    verbs=("create", "update", "delete"),
    reserved_names=OWN_NAMES,
    credential=True,
    limit=100,
    columns=(("access", _("Access")), ("keys", _("Keys")), ("channels", _("Channels"))),
    initial=((MAIN_USER, {"main": True, "access": "admin"}),),
    protected=_main_user_stays,
)
BACKUPS = ChildKind(
    slug="backups",
    prefix="bkp",
    singular=_("Backup"),
    plural=_("Backups"),
    spec=BackupSpec,
    nature=Nature.RUN,
    icon="archive",
    help=_("A backup holds all keys. It can be restored into a new service or over this one, or downloaded."),
    empty=_("No backup yet. One takes seconds for a small service."),
    verbs=("create", "delete", "cancel", "retry", "download"),
    generated_name=True,
    limit=200,
    lane="backup",
    deadline_seconds=7200,
    columns=(("bytes", _("Size")), ("release", _("Version"))),
)
