"""Scopes of tokens, read into what they grant: ``read``, ``write``, ``project:{slug}``, ``family:{slug}``, combined.

``read`` and ``write`` say how much, the other two where. Places alone mean reading and writing there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

SCOPE = re.compile(r"read|write|(project|family):[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Grant:
    """What scopes leave of a person's rights. ``projects`` and ``families`` are slugs; None means all of them."""

    reads: bool
    writes: bool
    projects: frozenset[str] | None
    families: frozenset[str] | None

    @property
    def is_limited(self) -> bool:
        """Whether it holds in some places only."""
        return self.projects is not None or self.families is not None


EVERYTHING = Grant(reads=True, writes=True, projects=None, families=None)


def is_scope(text: str) -> bool:
    """Tell whether ``text`` is a scope by its form; the project or family may not exist, and then grants nothing."""
    return SCOPE.fullmatch(text) is not None


def grant_of(scopes: Iterable[str] | None) -> Grant:
    """Return what scopes grant. None (no token, or one without scopes) is everything; an unknown scope is nothing."""
    if scopes is None:
        return EVERYTHING
    known = [scope for scope in scopes if is_scope(scope)]
    projects, families = _slugs(known, "project"), _slugs(known, "family")
    places_alone = bool(projects or families) and not {"read", "write"} & set(known)
    writes = "write" in known or places_alone
    return Grant(writes or "read" in known, writes, projects, families)


def is_within(inner: Iterable[str], outer: Iterable[str] | None) -> bool:
    """Tell whether a token with scopes ``inner`` may do nothing that ``outer`` may not; no scopes are the strongest."""
    inner = list(inner)
    if outer is None or not inner:
        return outer is None
    weak, strong = grant_of(inner), grant_of(outer)
    how_much = weak.writes <= strong.writes and weak.reads <= strong.reads
    return how_much and _covers(strong.projects, weak.projects) and _covers(strong.families, weak.families)


def _slugs(scopes: Iterable[str], kind: str) -> frozenset[str] | None:
    found = frozenset(scope.partition(":")[2] for scope in scopes if scope.startswith(f"{kind}:"))
    return found or None


def _covers(strong: frozenset[str] | None, weak: frozenset[str] | None) -> bool:
    return strong is None or (weak is not None and weak <= strong)
