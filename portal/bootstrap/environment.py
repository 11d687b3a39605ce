"""The project's ``.venv``: whether what is installed there is what the requirements say now. Every command asks."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

RUN = "requirements.txt"
TEST = "tests/requirements.txt"


class Environment:
    """``.venv`` in the project's root. Its marker says what was installed from what, by hashes.

    The marker is taken away while pip works, so that an installation that was cut off is never taken for a whole one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / ".venv"
        self.python = self.path / "bin" / "python"
        self.marker = self.path / "archipel.json"

    def is_current(self, *requirements: str) -> bool:
        """Tell whether the files named are installed as they stand now, with the interpreter that is still there."""
        marker = self.read_marker()
        return bool(marker) and all(marker.get(name) == digest for name, digest in self.wanted(*requirements).items())

    def is_active(self) -> bool:
        """Tell whether this very process runs from it."""
        return Path(sys.prefix) == self.path

    def wanted(self, *requirements: str) -> dict[str, str]:
        """Return what the marker has to say for these files."""
        digests = {name: hashlib.sha256((self.root / name).read_bytes()).hexdigest() for name in requirements}
        return {**digests, "python": str(self.python.resolve()) if self.python.exists() else ""}

    def read_marker(self) -> dict[str, str]:
        """Return what was noted when pip last finished; empty where it never did."""
        try:
            marker: dict[str, str] = json.loads(self.marker.read_text())
        except (OSError, ValueError):
            return {}
        return marker
