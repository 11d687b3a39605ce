"""What a customer may ask of a Valkey: the service's own settings, and those of its users and backups.

Engine parameters are an allow-list of typed fields; a text never reaches the engine's configuration as it is.
"""

from typing import Annotated, ClassVar, Literal, get_args

from django.utils.translation import gettext_lazy, gettext_noop
from pydantic import Field

from portal.core.specs import Spec, spec_field

Persistence = Literal["none", "rdb", "aof", "both"]
Policy = Literal[
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
]
MOST_REPLICAS = 2
# What a pattern of keys or channels may hold: it stands between spaces in the engine's file of users.
Pattern = Annotated[str, Field(pattern=r"^[^\s\x00-\x20\x7f]+$", min_length=1, max_length=200)]
MOST_PATTERNS = 50


class ValkeySpec(Spec):
    """Settings of the whole service; None means what the plan gives."""

    persistence: Persistence = spec_field(
        "aof",
        title=gettext_noop("Persistence"),
        help=gettext_noop(
            "none: a restart, also by a change of plan, replicas or release, begins empty; rdb: a snapshot every few "
            "minutes; aof: a log of every write; both: both."
        ),
        choices=(
            ("aof", gettext_lazy("Log of every write (aof)")),
            ("rdb", gettext_lazy("Snapshots (rdb)")),
            ("both", gettext_lazy("Log and snapshots (both)")),
            ("none", gettext_lazy("None")),
        ),
    )
    appendfsync: Literal["always", "everysec", "no"] = spec_field(
        "everysec",
        title=gettext_noop("Writing out the log"),
        help=gettext_noop("With aof: before each answer, once a second, or when the machine likes to (appendfsync)."),
        choices=(
            ("everysec", gettext_lazy("Once a second (everysec)")),
            ("always", gettext_lazy("Before each answer (always)")),
            ("no", gettext_lazy("When the machine likes to (no)")),
        ),
        advanced=True,
    )
    maxmemory_policy: Policy = spec_field(
        "noeviction",
        title=gettext_noop("When memory is full"),
        help=gettext_noop(
            "noeviction refuses writes; the others remove keys: of all, or (volatile) of those with a time to live."
        ),
        choices=tuple((policy, policy) for policy in get_args(Policy)),  # as the engine writes them
    )
    disk_gib: int | None = spec_field(
        None,
        title=gettext_noop("Disk"),
        help=gettext_noop("Of each node. Left empty, the plan's own size. A disk can grow, never shrink."),
        unit="GiB",
        grows_only=True,
        meter="storage-gib-seconds",
        advanced=True,
        ge=1,
        le=4096,
    )
    mode: Literal["standalone", "cluster"] = spec_field(
        "standalone",
        title=gettext_noop("Mode"),
        help=gettext_noop("cluster: three primaries with a third of the keys each, for clients that know clusters."),
        changeable=False,
        meter="instance-seconds",
    )
    replicas: int | None = spec_field(
        None,
        title=gettext_noop("Replicas"),
        help=gettext_noop(
            "Left empty, as many as the plan has. Each is billed as a node; a change restarts all. "
            "In cluster mode there are none."
        ),
        meter="instance-seconds",
        ge=0,
        le=MOST_REPLICAS,
    )
    primary: int = spec_field(
        1,
        title=gettext_noop("Primary node"),
        help=gettext_noop(
            "Choose another node's number to promote that replica: it catches up, takes over, and the old primary "
            "follows it. A number that the service has not counts as 1."
        ),
        advanced=True,
        backends=("local",),
        ge=1,
        le=MOST_REPLICAS + 1,
    )
    notify_keyspace_events: str = spec_field(
        "",
        title=gettext_noop("Keyspace events"),
        help=gettext_noop("Which changes of keys are published, as letters: KEA is all. Left empty, none."),
        advanced=True,
        pattern=r"^[KEg$lshzxetdmnA]*$",
        max_length=16,
    )
    databases: int = spec_field(
        16,
        title=gettext_noop("Databases"),
        help=gettext_noop("Can only grow, by a restart. In cluster mode there is one."),
        grows_only=True,
        advanced=True,
        backends=("local",),
        ge=1,
        le=256,
    )
    timeout_seconds: int = spec_field(
        0,
        title=gettext_noop("Idle time-out"),
        help=gettext_noop("A connection that is idle for longer is closed. 0 means never."),
        unit="s",
        advanced=True,
        ge=0,
        le=86_400,
    )
    field_order: ClassVar[tuple[str, ...]] = ("persistence", "maxmemory_policy", "mode", "replicas")


class UserSpec(Spec):
    """Settings of one login. ``predecessor``, ``main`` and ``rotation`` are the platform's."""

    access: Literal["admin", "write", "read"] = spec_field(
        "write",
        title=gettext_noop("Access"),
        help=gettext_noop(
            "read: reads and subscribes; write: also writes, publishes and runs scripts; admin: all that does not "
            "touch the engine itself."
        ),
    )
    keys: tuple[Pattern, ...] = spec_field(
        ("*",),
        title=gettext_noop("Keys"),
        help=gettext_noop("Patterns of the keys it may reach, one on each line. Left empty, none."),
        max_length=MOST_PATTERNS,
    )
    channels: tuple[Pattern, ...] = spec_field(
        ("*",),
        title=gettext_noop("Channels"),
        help=gettext_noop("Patterns of the channels it may publish and subscribe to, one on each line. Empty: none."),
        max_length=MOST_PATTERNS,
    )
    predecessor: str | None = spec_field(None, title=gettext_noop("Predecessor"), hidden=True)
    main: bool = spec_field(False, title=gettext_noop("Main login"), hidden=True)
    rotation: int = spec_field(0, title=gettext_noop("Rotation"), hidden=True, ge=0)


class BackupSpec(Spec):
    """A backup holds all keys as they were when it began; there is nothing to set."""
