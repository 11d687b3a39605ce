"""Finds out what happened to rows that do not fit where they stand: moved, changed or put in; and what is missing.

Pure. Each row carries the digest of the one before it, so it can be judged by itself: damage to one says nothing about
its neighbours, and each damaged row is named.
"""

import uuid
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from portal.audit.chain import link

NEAR = tuple(step * sign for step in range(1, 17) for sign in (1, -1))
PAIRS = 2_000_000  # comparisons; above, rows that moved far are called changed


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at ``first`` to ``last`` of a chain; ``row`` is the key of the row where one stands there."""

    sort: str
    first: int
    last: int
    row: uuid.UUID | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as it was read. ``content`` is the digest of what it says now."""

    position: int | None
    previous: bytes
    digest: bytes
    content: bytes
    id: uuid.UUID | None

    def fits(self, place: int) -> bool:
        """Whether it was sealed, as it stands, with this position."""
        return place > 0 and link(self.previous, place, self.content) == self.digest


class Places:
    """Places that no row holds, as ranges: a forged position may be far away."""

    def __init__(self, ranges: Iterable[range]) -> None:
        self._ranges = [places for places in ranges if places]

    def __iter__(self) -> Iterator[range]:
        return iter(self._ranges)

    def take(self, place: int) -> bool:
        """Fill a place; False where it was not free."""
        at = bisect_right(self._ranges, place, key=lambda places: places.start) - 1
        if at < 0 or place not in self._ranges[at]:
            return False
        whole = self._ranges[at]
        parts = (range(whole.start, place), range(place + 1, whole.stop))
        self._ranges[at : at + 1] = [part for part in parts if part]
        return True


@dataclass(slots=True)
class Found:
    """``known``: rows whose true place is proven; ``changed``: those that stand right and say something else.

    ``copies``: rows that fit a place that another holds.
    """

    missing: Places
    known: dict[int, Seen] = field(default_factory=dict)
    changed: dict[int, Seen] = field(default_factory=dict)
    moved: list[tuple[Seen, int]] = field(default_factory=list)
    inserted: list[Seen] = field(default_factory=list)
    copies: dict[int, Seen] = field(default_factory=dict)


def place_odd(odd: list[Seen], gaps: list[range], last: int, end: int) -> Found:
    """Find the places of rows that do not fit. ``last``: the last that fits; ``end``: the last that a head notes."""
    near = [(seen, where) for seen, where in _near(odd) if where]
    end = max(end, last, *(where for _seen, where in near))
    found = Found(Places([*gaps, range(last + 1, end + 1)]))
    for seen, where in near:
        _settle(found, seen, where)
    held = {id(seen) for seen, _where in near}
    rest = [seen for seen in odd if id(seen) not in held]
    for search in (_by_slots, _by_gaps, _by_home):
        rest = search(found, rest)
    found.inserted += rest
    return found


def _near(odd: list[Seen]) -> Iterator[tuple[Seen, int]]:
    """Return each row with its place: its own, or one near it, first where the row before it was found; else 0."""
    shift = 0
    for seen in odd:
        at = seen.position
        where = next((at + step for step in (0, shift, *NEAR) if seen.fits(at + step)), 0) if at else 0
        shift = where - at if where and at else shift
        yield seen, where


def _settle(found: Found, seen: Seen, where: int, moved: Seen | None = None) -> None:
    """Put a row where it belongs, unless another fits there too."""
    if not found.missing.take(where):
        found.copies[where] = seen
        return
    found.known[where] = seen
    if (moved or seen).position != where:
        found.moved.append((moved or seen, where))


def _by_slots(found: Found, rest: list[Seen]) -> list[Seen]:
    """Settle rows that stand in each other's place, with the other's seal."""
    if len(rest) ** 2 > PAIRS:
        return rest
    settled = set()
    for seen in rest:
        for slot in rest:
            if slot is not seen and slot.position:
                whole = Seen(slot.position, slot.previous, slot.digest, seen.content, seen.id)
                if whole.fits(slot.position):
                    _settle(found, whole, slot.position, seen)
                    settled.add(id(seen))
    return [seen for seen in rest if id(seen) not in settled]


def _by_gaps(found: Found, rest: list[Seen]) -> list[Seen]:
    """Settle rows that were moved, seal and all, from a place that is empty now or holds something else."""
    free = list(islice((where for places in found.missing for where in places), PAIRS // max(len(rest), 1)))
    left = []
    for seen in rest:
        where = next((where for where in free if seen.fits(where)), 0)
        if where:
            _settle(found, seen, where)
        else:
            left.append(seen)
    return left


def _by_home(found: Found, rest: list[Seen]) -> list[Seen]:
    """Call rows changed that stand where one is missing, also where all after some point were moved on by as much."""
    shifts = sorted((seen.position or 0, where - (seen.position or 0)) for seen, where in found.moved)
    left = []
    for seen in rest:
        at = seen.position or 0
        near = bisect_right(shifts, (at,)) - 1
        shift = shifts[near][1] if near >= 0 else 0
        home = next((where for where in (at, at + shift) if where > 0 and found.missing.take(where)), 0)
        if home:
            found.changed[home] = seen
        else:
            left.append(seen)
    return left
