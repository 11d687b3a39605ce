"""What this host can fetch with, and which packages it therefore can't have, each with the reason."""

import functools
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from portal.clusters.backends.local.packages.catalogue import CATALOGUE, Package, Source


class PackageFetchFailed(Exception):
    """A package could not be had; the message is one clear line."""


def available(prefix: Path) -> dict[str, str]:
    """Return every key of the catalogue with an empty text, or why it can't be had on this host."""
    return {key: unavailable_reason(entry, prefix) for key, entry in CATALOGUE.items()}


def unavailable_reason(entry: Package, prefix: Path) -> str:
    """Say in one line why a package can't be had here; empty when it can, or when it is already there."""
    if (prefix / entry.key / "manifest.json").is_file():
        return ""
    if platform.machine() not in entry.machines:
        return f"{entry.title} is built for {', '.join(entry.machines)}, this host is {platform.machine()}"
    return {Source.PIP: _no_pip, Source.NPM: _no_npm, Source.APT: _no_apt}[entry.source]()


def _no_pip() -> str:
    return "" if pip_command() else "pip is not installed on this host"


def _no_npm() -> str:
    return "" if shutil.which("npm") or pip_command() else "neither npm nor pip is installed on this host"


def _no_apt() -> str:
    missing = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    return f"only on Debian hosts ({', '.join(missing)} not found)" if missing else ""


@functools.cache
def pip_command() -> tuple[str, ...]:
    """Return the argv that runs pip: this interpreter's own, else one on the PATH; empty when there is none.

    A virtual environment may lack pip (made where ensurepip is missing), and the system's pip serves as well.
    """
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip")
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return (found,)
    system = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if system and _succeeds(system, "-m", "pip", "--version"):
        return (system, "-m", "pip")
    return ()


def _succeeds(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0


def environment(scratch: Path) -> Mapping[str, str]:
    """Return the fetchers' environment: the machine's own settings, a place for caches where HOME can't be written."""
    env = dict(
        os.environ, PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1", LC_ALL="C.UTF-8"
    )
    home = Path(env.get("HOME") or "/nonexistent")
    if not os.access(home, os.W_OK):
        env["HOME"] = str(scratch)
    return env


def run(argv: tuple[str, ...], *, scratch: Path, what: str, timeout: float = 1800) -> str:
    """Run a fetcher and return its output. Raises PackageFetchFailed with the line that says most."""
    try:
        done = subprocess.run(
            argv,
            cwd=scratch,
            env=environment(scratch),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageFetchFailed(f"{what}: {error}") from error
    if done.returncode:
        raise PackageFetchFailed(f"{what}: {telling_line(done.stderr or done.stdout)}")
    return done.stdout


def telling_line(text: str) -> str:
    """Return the line of a tool's output that names the cause: its last error line, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "e:", "npm error", "npm err!"))]
    useful = [line for line in errors if "complete log of this run" not in line]
    chosen = (useful[:1] or lines[-1:] or ["it failed without a word"])[0]
    return chosen[:300]
