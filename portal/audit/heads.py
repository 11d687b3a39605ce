"""Heads of all chains as a file, which an auditor keeps elsewhere: what it names can't be changed or cut off unseen."""

import datetime
import json
import logging
import os
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal.audit.models import Head
from portal.core import ids

logger = logging.getLogger(__name__)
FORMAT = "archipel audit heads 1"
MODE = 0o640


class Unreadable(Exception):
    """A file that is no head file; says why."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody noted that the row at ``position`` has this digest: a file, or a day's head in the database."""

    organization_id: uuid.UUID | None
    position: int
    digest: bytes
    at: datetime.datetime
    source: str
    elsewhere: bool


def current() -> list[Mark]:
    """Return how far every chain is sealed now, the platform's own last."""
    return [_mark(head) for head in Head.objects.running().order_by("organization_id")]


def running_of(organization_id: uuid.UUID | None) -> list[Mark]:
    """Return how far one chain is sealed now; nothing where no row of it is."""
    return [_mark(head) for head in Head.objects.running().filter(organization_id=organization_id)]


def of_chain(organization_id: uuid.UUID | None) -> list[Mark]:
    """Return every day's head of one chain and the running one, the first day first."""
    return [_mark(head) for head in Head.objects.filter(organization_id=organization_id).order_by("position")]


def keep_daily() -> Path | None:
    """Write today's file where heads have moved on; return its path if so.

    Each process that may run this writes the same. A file is never replaced by one that says less: that happens when
    the heads in the database were set back, and then the file is the better witness.
    """
    path, marks = Path(settings.AUDIT_HEADS) / f"{timezone.now().date()}.json", current()
    kept = _kept(path)
    if not marks or as_text(kept) == as_text(marks):
        return None
    if _says_less(marks, kept):
        logger.error("the audit heads in the database are behind those in %s: run verifyaudit --head with it", path)
        return None
    write(path, marks)
    return path


def _kept(path: Path) -> list[Mark]:
    try:
        return load(path) if path.exists() else []
    except Unreadable as error:
        logger.error("a head file is damaged and will be written anew: %s", error)
        return []


def write(path: Path, marks: Iterable[Mark]) -> None:
    """Write a head file in one step, so that a reader finds the old or the new one, whole."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(as_text(marks))
            os.fchmod(file.fileno(), MODE)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def as_text(marks: Iterable[Mark]) -> str:
    """Return the content of a head file."""
    chains = [
        {
            "organization": ids.encode("org", mark.organization_id) if mark.organization_id else None,
            "position": mark.position,
            "digest": mark.digest.hex(),
            "at": mark.at.isoformat(),
        }
        for mark in marks
    ]
    return json.dumps({"format": FORMAT, "chains": chains}, indent=1) + "\n"


def load(path: Path) -> list[Mark]:
    """Read a head file. Raises Unreadable."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT!r}")
        return [_from_file(entry, path.name) for entry in content["chains"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{path}: {error}") from error


def _from_file(entry: dict[str, Any], source: str) -> Mark:
    name, position, at = entry["organization"], entry["position"], parse_datetime(entry["at"])
    organization_id = ids.decode("org", name) if name else None
    digest = bytes.fromhex(entry["digest"])
    if (name and not organization_id) or type(position) is not int or position < 1 or len(digest) != 32 or not at:
        raise ValueError(f"this is no head: {entry}")
    return Mark(organization_id, position, digest, at, source, elsewhere=True)


def _says_less(marks: Iterable[Mark], kept: Iterable[Mark]) -> bool:
    reached = {mark.organization_id: mark.position for mark in marks}
    return any(reached.get(mark.organization_id, 0) < mark.position for mark in kept)


def _mark(head: Head) -> Mark:
    source = f"the head of {head.day}" if head.day else "the running head"
    return Mark(head.organization_id, head.position, bytes(head.digest), head.at, source, elsewhere=False)
