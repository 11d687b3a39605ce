"""The parts of a PostgreSQL that have a life of their own: databases, users, backups."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.databases.offerings.postgresql.spec import BackupSpec, DatabaseSpec, UserSpec
from portal.core.offerings import ChildKind, Nature, Text

MAIN_DATABASE, MAIN_USER = "defaultdb", "admin"
NAME = r"(?!pg_|cnpg_)[a-z]([a-z0-9_-]{0,61}[a-z0-9])?"


def _main_database_stays(spec: Any) -> Text:
    return _("This database was made with the service and stays with it.") if spec.main else ""


def _main_user_stays(spec: Any) -> Text:
    return _("This is the service's main login. Rotate it to exchange it.") if spec.main else ""


DATABASES = ChildKind(
    slug="databases",
    prefix="db",
    singular=_("Database"),
    plural=_("Databases"),
    spec=DatabaseSpec,
    icon="database",
    help=_("All users of the service can connect to each; what they may do there is their access."),
    empty=_("A database of its own for each application keeps them apart."),
    verbs=("create", "update", "delete"),
    name_pattern=NAME,
    reserved_names=frozenset(
        {"postgres", "template0", "template1", "all", "replication", "sameuser", "samerole", "samegroup"}
    ),
    limit=100,
    columns=(("extensions", _("Extensions")),),
    initial=((MAIN_DATABASE, {"main": True}),),
    protected=_main_database_stays,
)
USERS = ChildKind(
    slug="users",
    prefix="usr",
    singular=_("User"),
    plural=_("Users"),
    spec=UserSpec,
    icon="user",
    help=_("Logins of the database. A rotation makes a successor beside the old one, so that nothing stands still."),
    empty=_("A login of its own for each application can be taken away without touching the others."),
    verbs=("create", "update", "delete"),
    name_pattern=NAME,
    reserved_names=frozenset(
        {"postgres", "streaming_replica", "owner", "writer", "reader", "public", "none", "user"}
        | {"current_user", "session_user", "current_role", "system_user"}
    ),
    credential=True,
    limit=100,
    columns=(("access", _("Access")), ("connection_limit", _("Connections at most"))),
    initial=((MAIN_USER, {"main": True, "access": "owner"}),),
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
    help=_(
        "A backup holds all databases and users. It is restored into a new service; where a region can, over this one."
    ),
    empty=_("No backup yet. One takes seconds for a small database."),
    verbs=("create", "delete", "cancel", "retry", "download"),
    generated_name=True,
    limit=200,
    lane="backup",
    deadline_seconds=7200,
    columns=(("bytes", _("Size")), ("release", _("Version"))),
)
