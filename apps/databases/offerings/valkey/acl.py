"""The engine's file of users, written by an encoder: no name or pattern can end its word, begin a rule or a line.

``default`` is off and yet has all rights: engines up to 8.1 replay the append-only file with its rights, and without
them lose every transaction at a restart. It can't log in.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import cast

from apps.databases.offerings.valkey.spec import UserSpec
from portal.core.drivers import ChildView, GeneratedSecret, View, literal

PLATFORM, FRONT, REPLICATION = GeneratedSecret("platform"), GeneratedSecret("front"), GeneratedSecret("replication")
OWN_SECRETS = (PLATFORM, FRONT, REPLICATION)

# What touches the engine itself or the machine; the categories hold them all, and each is named once more.
_NEVER = (
    "-@admin", "-@dangerous", "-config", "-debug", "-module", "-acl", "-shutdown", "-replicaof", "-slaveof",
    "-failover", "-save", "-bgsave", "-bgrewriteaof", "-sync", "-psync", "-replconf", "-monitor",
    "-migrate", "-restore",
)  # fmt: skip
_ABOUT_CLUSTER = tuple(
    f"+cluster|{word}" for word in ("slots", "shards", "nodes", "info", "keyslot", "myid", "countkeysinslot")
)
# … and of those what clients need and harms nobody.
_ALL_THE_SAME = ("+info", "+role", "+acl|whoami", "+readonly", "+readwrite", *_ABOUT_CLUSTER)
_READS = (
    "-@all", "+@read", "+@connection", "+@transaction", "+@pubsub", "-publish", "-spublish",
    "+eval_ro", "+evalsha_ro", "+fcall_ro", "+script|load", "+script|exists", *_NEVER, *_ALL_THE_SAME, "+sort_ro",
)  # fmt: skip
_WRITES = (
    "-@all", "+@read", "+@write", "+@connection", "+@transaction", "+@pubsub", "+@scripting", "+wait", "+waitaof",
    "+asking", *_NEVER, *_ALL_THE_SAME, "+sort", "+sort_ro",
)  # fmt: skip
_ADMINISTERS = (
    "+@all", *_NEVER, *_ALL_THE_SAME, "+sort", "+sort_ro", "+keys", "+flushdb", "+flushall", "+client|list", "+slowlog",
)  # fmt: skip
COMMANDS = {"read": _READS, "write": _WRITES, "admin": _ADMINISTERS}

_OWN = (
    ("platform", PLATFORM, ("~*", "&*", "+@all")),
    ("front", FRONT, ("-@all", "+ping", "+info")),
    ("replication", REPLICATION, ("-@all", "+ping", "+psync", "+replconf")),
)
_HEAD = "user default off ~* &* +@all\n"
_BREAKS = re.compile(r"[\s\x00-\x20\x7f]")


def checked(text: str) -> str:
    """Return a customer's text as it is. Raises ValueError for one that is empty or would not be one word."""
    if not text or _BREAKS.search(text):
        raise ValueError("a word may not be empty or hold white space or control characters")
    return text


def word(text: str) -> str:
    """Return a customer's text as one word of a rule in a unit. Raises ValueError as ``checked`` does."""
    return literal(checked(text))


def user_secret(user: ChildView) -> GeneratedSecret:
    """Return the secret of one login."""
    return GeneratedSecret(f"user-{user.id.hex}", rotation=cast(UserSpec, user.spec).rotation)


def document(view: View, *, read_only: bool) -> str:
    """Return the file: the platform's own users, then the customer's. ``read_only``: the disk is full."""
    own = "".join(f"user {name} on >{secret.ref()} {' '.join(rules)}\n" for name, secret, rules in _OWN)
    return _HEAD + own + "".join(_line(user, read_only=read_only) for user in living(view))


def digest(view: View, *, read_only: bool) -> str:
    """Return what changes when the file's meaning does; the names of secrets are not part of it."""
    lines = (f"{_rules(user, read_only=read_only)} {cast(UserSpec, user.spec).rotation}" for user in living(view))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def living(view: View) -> Iterable[ChildView]:
    return (user for user in view.of_kind("users") if not user.deleting)


def _line(user: ChildView, *, read_only: bool) -> str:
    name, _space, rules = _rules(user, read_only=read_only).partition(" ")
    return f"user {name} on >{user_secret(user).ref()} {rules}\n"


def _rules(user: ChildView, *, read_only: bool) -> str:
    spec = cast(UserSpec, user.spec)
    patterns = (*(f"~{word(key)}" for key in spec.keys), *(f"&{word(channel)}" for channel in spec.channels))
    last = ("-@write",) if read_only else ()
    return " ".join((word(user.name), "resetkeys", "resetchannels", *patterns, *COMMANDS[spec.access], *last))
