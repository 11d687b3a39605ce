"""What a customer may ask of a PostgreSQL: the service's own settings, and those of its databases, users and backups.

Engine parameters are an allow-list of typed fields; a text never reaches the engine's configuration as it is.
"""

from typing import Annotated, ClassVar, Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from pydantic import Field, field_validator

from portal.core.specs import Spec, spec_field

# Time zones that every build we run knows; a name that a build does not know would keep it from starting.
TIME_ZONES = (
    "UTC",
    "Europe/Amsterdam",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Brussels",
    "Europe/Bucharest",
    "Europe/Budapest",
    "Europe/Copenhagen",
    "Europe/Dublin",
    "Europe/Helsinki",
    "Europe/Lisbon",
    "Europe/Ljubljana",
    "Europe/London",
    "Europe/Luxembourg",
    "Europe/Madrid",
    "Europe/Malta",
    "Europe/Oslo",
    "Europe/Paris",
    "Europe/Prague",
    "Europe/Riga",
    "Europe/Rome",
    "Europe/Sofia",
    "Europe/Stockholm",
    "Europe/Tallinn",
    "Europe/Vienna",
    "Europe/Vilnius",
    "Europe/Warsaw",
    "Europe/Zagreb",
    "Europe/Zurich",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Tokyo",
)

# Those that a database's owner could make herself (``trusted`` in their control files of every build) …
TRUSTED_EXTENSIONS = (
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dict_int",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "pg_trgm",
    "pgcrypto",
    "seg",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
)
# … and those that only look, which the platform makes for her. None that reaches files, the network or C code.
PLATFORM_EXTENSIONS = ("bloom", "pg_stat_statements", "pgrowlocks", "pgstattuple")
EXTENSIONS = (*TRUSTED_EXTENSIONS, *PLATFORM_EXTENSIONS)
Extension = Annotated[str, Field(json_schema_extra={"enum": list(EXTENSIONS)})]  # said in the schema, checked below


class PostgresqlSpec(Spec):
    """Settings of the whole service; None means what the plan gives."""

    disk_gib: int | None = spec_field(
        None,
        title=gettext_noop("Disk"),
        help=gettext_noop("Left empty, the plan's own size. A disk can grow, never shrink."),
        unit="GiB",
        grows_only=True,
        meter="storage-gib-seconds",
        ge=1,
        le=16384,
    )
    max_connections: int | None = spec_field(
        None,
        title=gettext_noop("Connections at most"),
        help=gettext_noop("Left empty, as many as the plan's memory bears. Changing it restarts PostgreSQL."),
        advanced=True,
        ge=20,
        le=2000,
    )
    work_mem_mib: int | None = spec_field(
        None,
        title=gettext_noop("Memory for one sort"),
        help=gettext_noop("Each sort or hash of each connection may take this much (work_mem)."),
        unit="MiB",
        advanced=True,
        ge=1,
        le=1024,
    )
    statement_timeout_ms: int = spec_field(
        0,
        title=gettext_noop("Statement time-out"),
        help=gettext_noop("A statement that takes longer is cancelled. 0 means never."),
        unit="ms",
        advanced=True,
        ge=0,
        le=86_400_000,
    )
    lock_timeout_ms: int = spec_field(
        0,
        title=gettext_noop("Lock time-out"),
        help=gettext_noop("A statement that waits longer for a lock is cancelled. 0 means never."),
        unit="ms",
        advanced=True,
        ge=0,
        le=86_400_000,
    )
    idle_in_transaction_session_timeout_ms: int = spec_field(
        0,
        title=gettext_noop("Idle transaction time-out"),
        help=gettext_noop("A connection that sits in an open transaction for longer is closed. 0 means never."),
        unit="ms",
        advanced=True,
        ge=0,
        le=86_400_000,
    )
    log_min_duration_statement_ms: int | None = spec_field(
        None,
        title=gettext_noop("Log slow statements"),
        help=gettext_noop("Statements that take longer are logged. Left empty, none; 0 logs all."),
        unit="ms",
        advanced=True,
        ge=0,
        le=86_400_000,
    )
    log_statement: Literal["none", "ddl", "mod"] = spec_field(
        "none",
        title=gettext_noop("Log statements"),
        help=gettext_noop("ddl logs what changes tables and the like, mod also what changes rows."),
        advanced=True,
    )
    timezone: str = spec_field(
        "UTC",
        title=gettext_noop("Time zone"),
        help=gettext_noop("In which times are shown; a connection may choose its own."),
        advanced=True,
        choices=tuple((zone, zone) for zone in TIME_ZONES),
    )
    pooler: Literal["none", "transaction", "session"] = spec_field(
        "none",
        title=gettext_noop("Connection pooler"),
        help=gettext_noop(
            "Two PgBouncers with an address of their own. transaction: a server connection for each transaction, "
            "for many short ones; session: one for each client."
        ),
        backends=("kubernetes",),
        advanced=True,
    )
    field_order: ClassVar[tuple[str, ...]] = ("disk_gib", "max_connections")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in TIME_ZONES:
            raise ValueError(_("Choose one of: %(known)s.") % {"known": ", ".join(TIME_ZONES)})
        return value


class DatabaseSpec(Spec):
    """Settings of one database. All users with owner access own it together."""

    extensions: tuple[Extension, ...] = spec_field(
        (),
        title=gettext_noop("Extensions"),
        help=gettext_noop("One on each line. Taking one off the list does not drop it: DROP EXTENSION does."),
        max_length=len(EXTENSIONS),
    )
    main: bool = spec_field(False, title=gettext_noop("Main database"), hidden=True)

    @field_validator("extensions")
    @classmethod
    def _known_extensions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - set(EXTENSIONS))
        if unknown:
            words = _("%(unknown)s can't be had here. Known extensions: %(known)s.")
            raise ValueError(words % {"unknown": ", ".join(unknown)[:200], "known": ", ".join(EXTENSIONS)})
        return tuple(dict.fromkeys(value))


class UserSpec(Spec):
    """Settings of one login. ``predecessor``, ``main`` and ``rotation`` are the platform's."""

    access: Literal["owner", "write", "read"] = spec_field(
        "owner",
        title=gettext_noop("Access"),
        help=gettext_noop("owner: may do all that can be done in the databases; write: all rows; read: all rows."),
    )
    connection_limit: int | None = spec_field(
        None,
        title=gettext_noop("Connections at most"),
        help=gettext_noop("Left empty, as many as the service has."),
        advanced=True,
        ge=1,
        le=2000,
    )
    predecessor: str | None = spec_field(None, title=gettext_noop("Predecessor"), hidden=True)
    main: bool = spec_field(False, title=gettext_noop("Main login"), hidden=True)
    rotation: int = spec_field(0, title=gettext_noop("Rotation"), hidden=True, ge=0)


class BackupSpec(Spec):
    """A backup holds all databases and users as they were at its end; there is nothing to set."""
