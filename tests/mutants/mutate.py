"""Makes a mutant of a copy of the tree, runs tests in it, and reads how they ended."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

LONGEST = 1800  # seconds of one run


@dataclass(frozen=True, slots=True)
class Mutant:
    """One security check removed. ``old`` stands in ``file`` once; see ``mutants.toml`` for the rest."""

    name: str
    file: str
    old: str
    new: str
    caught_by: list[str]
    says: str
    why: str
    case: int = 0  # which of ``CASES``; 0: none


@dataclass(frozen=True, slots=True)
class Case:
    """One test as it ended: ``passed``, ``failed`` (of an assertion), ``error`` (anything else) or ``skipped``."""

    test: str
    outcome: str
    words: str


def mutants() -> list[Mutant]:
    text = (Path(__file__).parent / "mutants.toml").read_text()
    return [Mutant(**entry) for entry in tomllib.loads(text)["mutant"]]


@dataclass(slots=True)
class Copy:
    """A copy of the tree, with the database and the data directory that its runs use."""

    tree: Path
    database: str
    data: Path
    is_made: bool = False  # the database

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Have the mutant in the tree. Fails where its old text is not there exactly once, or is the new one too."""
        path = self.tree / mutant.file
        before = path.read_text()
        assert before.count(mutant.old) == 1, (
            f"{mutant.name}: its text is {before.count(mutant.old)} times in {mutant.file}"
        )
        assert mutant.old != mutant.new
        path.write_text(before.replace(mutant.old, mutant.new))
        try:
            yield
        finally:
            path.write_text(before)

    def run(self, tests: Iterable[str]) -> list[Case]:
        """Run tests in the copy. Fails where they can't be run at all, so that a typo in a mutant catches nothing."""
        report = self.data / "report.xml"
        report.unlink(missing_ok=True)
        database = "--reuse-db" if self.is_made else "--create-db"
        options = (
            "--full",
            "--reuse-db",
            database,
            "-vv",
            "-p",
            "no:xdist",
            "-p",
            "no:schemathesis",
            f"--junitxml={report}",
            "-o",
            "junit_family=legacy",  # the one that takes the figures which some tests put down
        )
        command = [sys.executable, "-m", "pytest", *options, *tests]
        ended = subprocess.run(
            command, cwd=self.tree, env=self._environment(), capture_output=True, text=True, timeout=LONGEST
        )
        self.is_made = True
        assert ended.returncode in (0, 1), f"{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
        assert report.is_file(), f"{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
        return [_case(element) for element in ElementTree.parse(report).iter("testcase")]  # noqa: S314 - pytest wrote it

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        made = {"TEST_DATABASE": self.database, "ARCHIPEL_DATA": str(self.data), "PYTHONDONTWRITEBYTECODE": "1"}
        return ours | made  # without byte code: an edit within the same second would not be seen


def _case(element: ElementTree.Element) -> Case:
    name = f"{element.get('classname', '')}::{element.get('name', '')}"
    for outcome in ("failure", "error", "skipped"):
        if (found := element.find(outcome)) is not None:
            words = f"{found.get('message', '')}\n{found.text or ''}"
            asserted = outcome == "failure" and words.startswith(("AssertionError", "assert", "Failed: DID NOT RAISE"))
            return Case(name, "failed" if asserted else "skipped" if outcome == "skipped" else "error", words)
    return Case(name, "passed", "")
