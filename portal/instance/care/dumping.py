"""Dumps and loads of a portal's database by PostgreSQL's own tools, from one consistent snapshot."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from portal.instance.failed import Failed

CHUNK = 1 << 20
_LOAD = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", "--no-comments")
Write = Callable[[bytes], object]
OWN_ERRORS = 2000  # characters of what a tool said that are worth repeating


def variables(database: Mapping[str, Any]) -> dict[str, str]:
    """Return Django's settings of a database as libpq's variables: no password stands in a command line."""
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    options = {f"PG{name.upper()}": str(value) for name, value in database.get("OPTIONS", {}).items()}
    return {**options, **{name: str(database[key]) for name, key in names.items() if database.get(key)}}


def pipe(binaries: Path, source: Mapping[str, str], target: Mapping[str, str]) -> None:
    """Load from one server what is dumped from another, without a file between. Raises Failed."""
    load(binaries, target, lambda write: dump(binaries, source, write))


def dump(binaries: Path, target: Mapping[str, str], write: Write) -> None:
    """Pass on a dump in the custom format. ``target`` holds libpq's variables. Raises Failed."""
    command = [str(binaries / "pg_dump"), "--format=custom", "--compress=gzip:1", "--no-owner", "--no-privileges"]
    with subprocess.Popen(
        command, env=_environment(target), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout  # noqa: S101 - for the type checker
        assert process.stderr  # noqa: S101
        while chunk := process.stdout.read(CHUNK):
            write(chunk)
        said = process.stderr.read()
    if process.returncode:
        raise Failed(f"pg_dump failed: {_words(said)}")


def load(binaries: Path, target: Mapping[str, str], feed: Callable[[Write], None]) -> None:
    """Load a dump, which ``feed`` writes, into an empty database: all or nothing. Raises Failed."""
    command = [str(binaries / "pg_restore"), *_LOAD, f"--dbname={target['PGDATABASE']}"]
    with subprocess.Popen(
        command, env=_environment(target), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin  # noqa: S101 - for the type checker
        assert process.stderr  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # it has given up, and says why
            feed(process.stdin.write)
            process.stdin.close()
        said = process.stderr.read()
    if process.returncode:
        raise Failed(f"pg_restore failed: {_words(said)}")


def run_sql(binaries: Path, target: Mapping[str, str], statement: str) -> str:
    """Run one statement by psql and return what it prints. Raises Failed."""
    command = [str(binaries / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement]
    done = subprocess.run(command, env=_environment(target), capture_output=True, check=False)
    if done.returncode:
        raise Failed(f"psql failed: {_words(done.stderr)}")
    return done.stdout.decode().strip()


def _environment(target: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the caller's own PG* variables may lead elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, **target}


def _words(said: bytes) -> str:
    return said.decode(errors="replace").strip()[-OWN_ERRORS:] or "it said nothing"
