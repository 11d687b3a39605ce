"""``.venv``: made once, brought up to date, and never taken for whole when it is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from portal.bootstrap import making
from portal.bootstrap.environment import Environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    (tmp_path / "requirements.txt").write_text("six==1.17.0\n")
    return Environment(tmp_path)


def test_it_is_made_and_brought_up_to_date_and_rebuilt_when_cut_off(environment: Environment) -> None:
    making.make(environment, None, "requirements.txt")
    assert environment.is_current("requirements.txt")
    assert runs(environment, "import six, pip")

    (environment.root / "requirements.txt").write_text("six==1.17.0\nidna==3.20\n")
    assert not environment.is_current("requirements.txt")
    making.make(environment, None, "requirements.txt")
    assert runs(environment, "import idna")

    environment.marker.unlink()
    (environment.path / "unfinished").touch()
    (environment.path / "lib" / "left-by-the-first").touch()
    making.make(environment, None, "requirements.txt")
    assert environment.is_current("requirements.txt")
    assert not (environment.path / "lib" / "left-by-the-first").exists()


def test_another_interpreter_makes_it_out_of_date(environment: Environment) -> None:
    environment.python.parent.mkdir(parents=True)
    environment.python.symlink_to(sys.executable)
    environment.marker.write_text('{"python": "/usr/bin/python2.7"}')

    assert not environment.is_current()


def test_the_bootstrap_needs_nothing_that_is_not_in_python_itself() -> None:
    modules = [f"portal.bootstrap.{file.stem}" for file in (ROOT / "portal" / "bootstrap").glob("*.py")]
    probe = f"""
import importlib, sys
sys.path.insert(0, {str(ROOT)!r})
for name in {modules!r}:
    importlib.import_module(name)
print([name for name, module in sys.modules.items() if "site-packages" in str(getattr(module, "__file__", ""))])
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", probe], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "[]", done.stderr


def runs(environment: Environment, code: str) -> bool:
    return subprocess.run([str(environment.python), "-c", code], check=False).returncode == 0
