"""Log files of an instance: the engine writes to its own directly, so a crash of ours loses it neither pipe nor line.

Rotation copies and truncates, which works because the file is open for appending; what is written while copying is
copied too. ``runs.log`` holds the output of commands, one JSON object a line.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from portal.clusters.backends.local import render
from portal.clusters.backends.local.supervisor.record import now

LARGEST = 10_000_000
KEPT = 3


def engine_log(directory: Path) -> Path:
    return directory / "engine.log"


def companion_log(directory: Path, name: str) -> Path:
    return directory / f"companion-{name}.log"


def rotate(path: Path, largest: int = LARGEST, kept: int = KEPT) -> bool:
    """Rotate a file that has grown beyond ``largest`` bytes, keeping ``kept`` old ones. Return whether it did."""
    try:
        if path.stat().st_size <= largest:
            return False
    except OSError:
        return False
    for number in range(kept - 1, 0, -1):
        older = Path(f"{path}.{number}")
        if older.exists():
            older.replace(f"{path}.{number + 1}")
    with path.open("rb") as source, Path(f"{path}.1").open("wb") as target:
        os.fchmod(target.fileno(), 0o600)
        shutil.copyfileobj(source, target, 1 << 20)
        while rest := source.read():
            target.write(rest)
        os.truncate(path, 0)
    return True


def write_run(directory: Path, source: str, text: str) -> None:
    """Note what a command said."""
    if not text.strip():
        return
    moment = now().isoformat(timespec="milliseconds")
    lines = (json.dumps({"at": moment, "source": source, "text": line}) for line in text.splitlines()[:500])
    path = directory / "runs.log"
    with contextlib.suppress(OSError):  # what was done counts, whether or not the disk has room to say so
        rotate(path)
        with path.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))


def last_line(directory: Path, secrets: Mapping[str, Mapping[str, str]], companion: str = "") -> str:
    """Return what the engine or a companion wrote last, which often names the cause of its end; no secret is in it."""
    try:
        with (companion_log(directory, companion) if companion else engine_log(directory)).open("rb") as file:
            start = file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    begun = start > 0 and len(lines) == 1
    return (render.mask_begun if begun else render.mask)(lines[-1], secrets)[:300] if lines else ""
