"""One pass over the rows of a chain in the order of their positions; what does not fit is left to ``placing``."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from portal.audit import chain
from portal.audit.heads import Mark
from portal.audit.placing import Flaw, Found, Seen, place_odd

BACK = datetime.timedelta(minutes=10)  # longer than any transaction


@dataclass(frozen=True, slots=True)
class Regular:
    """A row that fits where it stands."""

    place: int
    seen: Seen
    at: datetime.datetime | None = None


START = Regular(0, Seen(0, b"", chain.GENESIS, b"", None))


class Walk:
    """Takes all rows, then ``finish`` says what is wrong. ``marks`` are the heads that somebody noted."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self.rows = self.erased = 0
        self.last = START
        self.warnings: list[str] = []
        self._marks: dict[int, list[Mark]] = defaultdict(list)
        self._agreed = {True: 0, False: 0}  # up to where heads agree: those from elsewhere, those of the database
        self._odd: list[Seen] = []
        self._gaps: list[range] = []
        self._edges: dict[int, Seen] = {}
        self._flaws: list[Flaw] = []
        for mark in marks:
            self._marks[mark.position].append(mark)

    def take(self, row: chain.Row) -> None:
        """Take the next row, in the form of ``chain.plain``."""
        self.rows += 1
        content = chain.content_digest(row, row["commitments"])
        seen = Seen(row["position"], bytes(row["previous"] or b""), bytes(row["digest"] or b""), content, row["id"])
        position = row["position"]
        if position is None or position <= self.last.place or not seen.fits(position):
            self._odd.append(seen)
            return
        self._follow(Regular(position, seen, row["at"]))
        if false := chain.falsified(row):
            self._flaws.append(Flaw("changed", position, position, seen.id, f"by its {', '.join(false)}"))
        self.erased += chain.erased(row)

    def _follow(self, row: Regular) -> None:
        """Hold a row that fits against the one before it and against the heads."""
        before, self.last = self.last, row
        if row.place > before.place + 1:
            self._gaps.append(range(before.place + 1, row.place))
            self._edges |= {before.place: before.seen, row.place: row.seen}
        elif row.seen.previous != before.seen.digest:
            self._flaws.append(_broken(before.place, before.seen, row.seen))
        if before.at and row.at and before.at - row.at > BACK:
            self.warnings.append(f"row {row.place} is older than the one before by {before.at - row.at}: put in later?")
        self._check_marks(row.place, row.seen)

    def _check_marks(self, place: int, seen: Seen) -> None:
        for mark in self._marks.pop(place, ()):
            if seen.digest == mark.digest:
                self._agreed[mark.elsewhere] = place
                continue
            since = self._agreed[mark.elsewhere] + 1
            words = f"{mark.source} noted another digest: {since} to {place} may have been changed and sealed anew"
            self._flaws.append(Flaw("resealed", place, place, seen.id, words))

    def finish(self) -> list[Flaw]:
        """Say what is wrong, once all rows have been taken."""
        self._edges[self.last.place] = self.last.seen
        end = max(self._marks, default=0)
        found = place_odd(self._odd, self._gaps, self.last.place, end)
        self._judge_copies(found)
        for place, seen in sorted(found.known.items()):
            self._check_marks(place, seen)
        reached = max(self.last.place, *found.known, *found.changed, 0)
        flaws = [*self._flaws, *self._unlinked(found), *_moved(found), *_altered(found), *_missing(found, reached)]
        return list({(flaw.sort, flaw.first, flaw.row): flaw for flaw in flaws}.values())

    def _unlinked(self, found: Found) -> Iterator[Flaw]:
        """Hold rows about the gaps against each other, now that it is known where they belong."""
        known = self._edges | found.known
        for place, seen in sorted(known.items()):
            after = known.get(place + 1)
            if after and (place in found.known or place + 1 in found.known) and after.previous != seen.digest:
                yield _broken(place, seen, after)
        for place, changed in sorted(found.changed.items()):
            before, after = known.get(place - 1), known.get(place + 1)
            if before and after and after.previous == changed.digest and changed.previous != before.digest:
                with_another_previous = Seen(place, before.digest, changed.digest, changed.content, None)
                if not with_another_previous.fits(place):
                    yield _broken(place - 1, before, changed)

    def _judge_copies(self, found: Found) -> None:
        """Of two rows that fit one place, keep the one that the next row knows; the other was put in."""
        for place, copy in found.copies.items():
            known = self._edges | found.known
            holder, after = known.get(place), known.get(place + 1)
            if holder and after and after.previous == copy.digest != holder.digest:
                found.moved.append((copy, place))
                found.known[place] = copy
                copy = holder
            found.inserted.append(copy)


def _broken(place: int, seen: Seen, after: Seen) -> Flaw:
    """Blame the row that the next one doesn't know: what that one says is under its own digest."""
    if place == 0:
        return Flaw("resealed", 1, 1, after.id, "it does not begin the chain as a first row does")
    return Flaw(
        "resealed",
        place,
        place,
        seen.id,
        "the next row knows another digest of it: changed and sealed anew, or the next one lies",
    )


def _moved(found: Found) -> Iterator[Flaw]:
    """Return rows that were sealed in another place, neighbours that moved together as one."""
    runs: list[list[tuple[Seen, int]]] = []
    for seen, where in sorted(found.moved, key=lambda pair: (pair[0].position or 0, pair[1])):
        last = runs[-1][-1] if runs else None
        if last and seen.position and (seen.position - 1, where - 1) == (last[0].position, last[1]):
            runs[-1].append((seen, where))
        else:
            runs.append([(seen, where)])
    for run in runs:
        first, where = run[0]
        row = first.id if len(run) == 1 else None
        if first.position:
            yield Flaw("reordered", first.position, first.position + len(run) - 1, row, f"sealed as {where}")
        else:
            yield Flaw("placeless", where, where, row, "it has lost its position")


def _altered(found: Found) -> Iterator[Flaw]:
    for place, seen in found.changed.items():
        yield Flaw("changed", place, place, seen.id)
    for seen in found.inserted:
        if seen.position is None:
            yield Flaw("placeless", 0, 0, seen.id, "it has a digest and no position, and fits none that is free")
        else:
            yield Flaw("inserted", seen.position, seen.position, seen.id, "never sealed as it stands here")


def _missing(found: Found, reached: int) -> Iterator[Flaw]:
    for places in found.missing:
        sort = "cut off" if places.start > reached else "removed"
        words = "nothing vouches for the row before" if sort == "removed" and places.start > 1 else ""
        yield Flaw(sort, places.start, places.stop - 1, words=words)
