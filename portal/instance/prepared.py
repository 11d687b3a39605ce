"""What was prepared in an instance already, so that a later start has nothing to do.

The note lies beside the database: it lives and dies with it. Digests are of files, which needs neither Django nor a
connection.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


class Prepared:
    """Digests of what the database and the static files were last made from."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root = root
        self.file = data / "postgres" / "prepared.json"
        self.static = data / "static"

    def lacking(self) -> dict[str, str]:
        """Return what has to be done (``migrate``, ``static``), each with the digest to note afterwards."""
        noted = self._read()
        wanted = {"migrate": self._database(), "static": self._static()}
        if not self.static.is_dir():
            noted.pop("static", None)
        return {name: digest for name, digest in wanted.items() if noted.get(name) != digest}

    def note(self, done: dict[str, str]) -> None:
        """Remember what was done."""
        draft = self.file.with_suffix(".new")
        draft.write_text(json.dumps({**self._read(), **done}))
        draft.replace(self.file)

    def _read(self) -> dict[str, str]:
        try:
            noted: dict[str, str] = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return {}
        return noted

    def _database(self) -> str:
        """Libraries bring migrations too: which ones follows from the requirements."""
        migrations = [path for half in ("portal", "apps") for path in self.root.glob(f"{half}/*/migrations/*.py")]
        seeds = [path for half in ("portal", "apps") for path in self.root.glob(f"{half}/*/seed.py")]
        return _digest([*migrations, *seeds, self.root / "requirements.txt"], self.root)

    def _static(self) -> str:
        own = [path for path in self.root.glob("static/**/*") if path.is_file()]
        apps = [
            path for half in ("portal", "apps") for path in self.root.glob(f"{half}/*/static/**/*") if path.is_file()
        ]
        return _digest([*own, *apps, self.root / "requirements.txt"], self.root)


def _digest(files: Iterable[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
