"""A copy of the tree to mutate, with a database of its own that all its runs use."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from tests.mutants.mutate import Copy

NEEDED = ("manage.py", "pyproject.toml", "README.md", "portal", "apps", "templates", "static", "tests")


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The tree without what runs leave behind. One copy per worker: a mutant is undone before the next is made."""
    tree, database = tmp_path_factory.mktemp("mutants") / "tree", f"test_mutants_{os.getpid()}"
    for name in NEEDED:
        source, target = settings.BASE_DIR / name, tree / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    yield Copy(tree, database, _data(tmp_path_factory))
    _drop(database)


def _data(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("mutants-data")


def _drop(database: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database)))
