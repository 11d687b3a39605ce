"""Dumps and loads of a portal's database by PostgreSQL's own tools, from one consistent snapshot."""

import contextlib
import itertools
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from portal.instance.failed import Failed

CHUNK = 1 << 20
HEAD = 100  # lines of a script in which its settings stand
WITH_TRANSACTION_TIMEOUT = 170000  # server_version_num of the first release that knows it
_ONLY_OURS = ("--no-owner", "--no-privileges", "--no-comments")
Write = Callable[[bytes], object]
Process = subprocess.Popen[bytes]
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
    older = int(run_sql(binaries, target, "SHOW server_version_num")) < WITH_TRANSACTION_TIMEOUT
    (_load_by_script if older else _load_directly)(binaries, target, feed)


def _load_directly(binaries: Path, target: Mapping[str, str], feed: Callable[[Write], None]) -> None:
    options = ("--exit-on-error", "--single-transaction", f"--dbname={target['PGDATABASE']}")
    with _started(binaries / "pg_restore", *_ONLY_OURS, *options, target=target) as restore:
        _give(restore, feed)
        said = _read(restore.stderr)
    if restore.returncode:
        raise Failed(f"pg_restore failed: {_words(said)}")


def _load_by_script(binaries: Path, target: Mapping[str, str], feed: Callable[[Write], None]) -> None:
    """A server before 17 does not know a setting that scripts of newer tools begin with: it is left out on the way."""
    psql = ("-XqAt", "--single-transaction", "-v", "ON_ERROR_STOP=1")
    with (
        _started(binaries / "psql", *psql, target=target) as reader,
        _started(binaries / "pg_restore", *_ONLY_OURS, "--file=-", target=target) as writer,
    ):
        passing = threading.Thread(target=_pass_on, args=(writer, reader))
        passing.start()
        _give(writer, feed)
        passing.join()
        said = _read(writer.stderr) + _read(reader.stderr)
    if writer.returncode or reader.returncode:
        raise Failed(f"loading the dump failed: {_words(said)}")


def _pass_on(writer: Process, reader: Process) -> None:
    """Pass a script on without that line, which stands in its head."""
    assert writer.stdout  # noqa: S101 - for the type checker
    source = writer.stdout

    def script(write: Write) -> None:
        for line in itertools.islice(source, HEAD):
            if not line.startswith(b"SET transaction_timeout"):
                write(line)
        while chunk := source.read(CHUNK):
            write(chunk)
        if writer.wait():
            reader.kill()  # the end of half a script must not be taken for the end of a whole one

    _give(reader, script)
    while source.read(CHUNK):  # what the reader did not want any more
        pass


def _started(program: Path, *options: str, target: Mapping[str, str]) -> Process:
    pipe = subprocess.PIPE
    command = [str(program), *options]
    return subprocess.Popen(command, env=_environment(target), stdin=pipe, stdout=pipe, stderr=pipe)


def _give(process: Process, feed: Callable[[Write], None]) -> None:
    """Write all of its input; one that has given up says why itself."""
    assert process.stdin  # noqa: S101 - for the type checker
    with contextlib.suppress(BrokenPipeError):
        feed(process.stdin.write)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _read(stream: IO[bytes] | None) -> bytes:
    return stream.read() if stream else b""


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
