"""Finds a pip that can fill ``.venv``, also on machines whose Python came without ``ensurepip``.

Whatever is found honours the machine's own settings (environment and pip.conf): it is pip itself that reads them.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from configparser import Error, RawConfigParser
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

from portal.bootstrap.say import refuse, say

VERSION = "26.3"
WHEEL = f"pip-{VERSION}-py3-none-any.whl"
SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
DEBIAN_WHEELS = Path("/usr/share/python-wheels")


def runner(python: Path, environment: Path, scratch: Path) -> list[str]:
    """Return the command that runs pip for the interpreter of ``environment``; ``python`` is what it was made from."""
    inside = str(environment / "bin" / "python")
    wheel = _bundled(python)
    if wheel:
        return [inside, f"{wheel}/pip"]
    if _has_pip(python):
        return [str(python), "-m", "pip", "--python", inside]
    wheel = _fetched(scratch) or _unpacked(scratch)
    if not wheel:
        refuse("found no pip, and could not fetch one. On Debian 12: apt-get install python3-venv")
    return [inside, f"{wheel}/pip"]


def _bundled(python: Path) -> str | None:
    """Return the wheel that ensurepip or Debian's python3-pip-whl brought."""
    probe = "import ensurepip, os; print(os.path.dirname(ensurepip.__file__))"
    found = subprocess.run([str(python), "-I", "-c", probe], capture_output=True, text=True, check=False)
    own = [Path(found.stdout.strip(), "_bundled")] if found.returncode == 0 else []
    wheels = [wheel for place in [*own, DEBIAN_WHEELS] for wheel in place.glob("pip-*.whl")]
    return str(wheels[0]) if wheels else None


def _has_pip(python: Path) -> bool:
    """Tell whether the interpreter has a pip that knows ``--python`` (22.3 and newer)."""
    answer = subprocess.run(
        [str(python), "-m", "pip", "--python", str(python), "--version"], capture_output=True, check=False
    )
    return answer.returncode == 0


def _fetched(scratch: Path) -> str | None:
    """Return the pinned wheel, from the index that the machine's pip is set to use; None where none is set."""
    page = _page()
    if page is None:
        return None
    try:
        link = _link(page, _get(page).decode("utf-8", "replace"))
        content = _get(link) if link else b""
    except (OSError, ValueError) as error:
        say(f"no pip from {page}: {error}")
        return None
    if hashlib.sha256(content).hexdigest() != SHA256:
        say(f"no pip from {page}: {WHEEL} is missing there, or its checksum is wrong")
        return None
    wheel = scratch / WHEEL
    wheel.write_bytes(content)
    return str(wheel)


def _page() -> str | None:
    index = index_url()
    return f"{index.rstrip('/')}/pip/" if index else None


def _get(url: str) -> bytes:
    if not url.startswith(("https://", "http://", "file://")):
        raise ValueError(f"not an address to fetch from: {url}")
    with urlopen(url, timeout=60) as answer:  # noqa: S310 - checked above
        content: bytes = answer.read()
        return content


def _link(page: str, html: str) -> str | None:
    """Return the wheel's address on an index page (PEP 503)."""
    found = re.search(rf'href="([^"]*/)?{re.escape(WHEEL)}[^"]*"', html)
    return urljoin(page, found.group(0)[6:-1]) if found else None


def index_url() -> str | None:
    """Return the index that pip is told to use here: the environment's, else its configuration files'."""
    given = os.environ.get("PIP_INDEX_URL")
    if given:
        return given
    home = Path(os.environ.get("HOME", "/"))
    places = [
        os.environ.get("PIP_CONFIG_FILE", ""),
        str(Path(os.environ.get("XDG_CONFIG_HOME", home / ".config")) / "pip" / "pip.conf"),
        str(home / ".pip" / "pip.conf"),
        "/etc/pip.conf",
        "/etc/xdg/pip/pip.conf",
    ]
    return next(filter(None, map(_configured, places)), None)


def _configured(place: str) -> str | None:
    settings = RawConfigParser()
    try:
        settings.read(place)
    except (Error, OSError, UnicodeDecodeError):
        return None
    return settings.get("global", "index-url", fallback=None) or settings.get("install", "index-url", fallback=None)


def _unpacked(scratch: Path) -> str | None:
    """Return Debian's wheel, downloaded through apt's signed index and unpacked without root."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        subprocess.run(["apt-get", "download", "python3-pip-whl"], cwd=folder, check=True, capture_output=True)
        [package] = folder.glob("python3-pip-whl_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True, capture_output=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        say(f"no pip from apt: {error}")
        return None
    wheels = [str(wheel) for wheel in (folder / "usr/share/python-wheels").glob("pip-*.whl")]
    return wheels[0] if wheels else None
