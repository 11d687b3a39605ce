"""The sandbox: what its trial finds, and what it lets a process see."""

import os
import subprocess
from pathlib import Path

import pytest

from portal.clusters.backends.local.sandbox import Room, Sandbox, Trial, verdict, write_accounts


@pytest.fixture
def sandbox(packages: Path, tmp_path: Path) -> Sandbox:
    return Sandbox(packages / "bubblewrap" / "bin" / "bwrap", write_accounts(tmp_path / "sandbox"))


def _try(trial: Trial) -> str:
    done = subprocess.run(trial.argv, env=trial.env, capture_output=True, text=True, check=False)
    return verdict(done.returncode, done.stdout + done.stderr)


@pytest.mark.engine
def test_the_trial_passes_in_the_sandbox_and_fails_without(sandbox: Sandbox, tmp_path: Path) -> None:
    bare = Sandbox(None, tmp_path / "sandbox")
    assert "sees" in _try(Trial.prepare(bare, tmp_path, tmp_path / "run"))
    found = _try(Trial.prepare(sandbox, tmp_path, tmp_path / "run"))
    if "can't" in found or "could not" in found or "bwrap" in found:
        pytest.skip(found)
    assert found == ""


@pytest.mark.engine
@pytest.mark.parametrize("hole", ["a directory too many", "shared processes", "capabilities"])
def test_the_trial_notices_a_hole(sandbox: Sandbox, tmp_path: Path, hole: str) -> None:
    trial = Trial.prepare(sandbox, tmp_path, tmp_path / "run")
    words = list(trial.argv)
    if hole == "a directory too many":
        at = words.index("--remount-ro")
        words[at:at] = ["--bind", str(tmp_path), str(tmp_path)]
    elif hole == "shared processes":
        words.remove("--unshare-pid")
    else:
        at = words.index("--cap-drop")
        words[at : at + 2] = ["--cap-add", "ALL"]
    assert _try(Trial(tuple(words), trial.env)) != ""


@pytest.mark.engine
def test_a_process_sees_its_own_account_and_directory(sandbox: Sandbox, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine").touch()
    argv = sandbox.command(Room("abc", (own,), start_in=own), ("/bin/sh", "-c", "id -un; hostname; ls; pwd"))
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"})
    assert done.stdout.split() == ["archipel", "abc", "mine", str(own)]


def test_a_one_shot_without_a_sandbox_dies_with_its_parent_all_the_same(tmp_path: Path) -> None:
    argv = Sandbox(None, tmp_path).command(Room("abc", ()), ("/bin/true",))
    assert argv[:3] == ("/usr/bin/setpriv", "--pdeathsig", "KILL")
    assert subprocess.run(argv, check=False, env=dict(os.environ)).returncode == 0


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [(1, "sees /x\n", "sees /x"), (None, "", "could not run"), (0, "", "could not run"), (1, "isolated", "isolated")],
)
def test_only_a_clean_pass_counts(code: int | None, said: str, words: str) -> None:
    assert words in verdict(code, said)
    assert verdict(0, "isolated\n") == ""
