"""A newcomer adds an offering in one place: on a copy of the tree, where nothing that is there changes."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

SKIPPED = shutil.ignore_patterns(".git", ".venv", ".archipel", "__pycache__", ".mypy_cache", ".ruff_cache", "*.pyc")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    shutil.copytree(settings.BASE_DIR, tree, ignore=SKIPPED)
    return tree


def run(tree: Path, *words: str) -> str:
    """Run a command in the copy, beside this run's own database server."""
    environment = {**os.environ, "TEST_DATABASE": f"test_startoffering_{os.getpid()}", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(
        [sys.executable, *words], cwd=tree, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-2000:]}"
    return done.stdout


def digests(tree: Path) -> dict[str, str]:
    files = (path for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.django_db
@pytest.mark.parametrize("family", ["databases", "gardens"])
def test_a_new_offering_changes_no_file_and_passes_the_contracts(copy: Path, family: str) -> None:
    assert connection.vendor == "postgresql"
    before = digests(copy)
    written = run(copy, "-m", "django", "startoffering", family, "duck-pond").split()
    after = digests(copy)
    assert {path: mark for path, mark in after.items() if path in before} == before
    assert len(written) <= 4
    assert set(written) <= set(after)
    run(copy, "-m", "ruff", "check", "--no-cache", f"apps/{family}")
    run(copy, "-m", "ruff", "format", "--no-cache", "--check", f"apps/{family}")
    output = run(copy, "-m", "pytest", "tests/contracts", "-k", "duck-pond", "-q", "-p", "no:xdist")
    assert "passed" in output
    assert "failed" not in output
