"""Where the control plane's programs come from, with a played ``go`` that is quick; and how long they live."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.bootstrap.running import start_time
from tests.cluster import binaries, go_toolchain
from tests.cluster.control_plane import ControlPlane, NotReady
from tests.cluster.go_toolchain import BuildFailed

GO = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go{version} linux/amd64"; exit 0; fi
basename "$PWD" >> {log}
{build}
while [ "$1" != -o ]; do shift; done
echo "#!/bin/sh" > "$2"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Go, binaries or cache."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("ARCHIPEL_CONTROL_PLANE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def _play_go(machine: Path, version: str = "1.26.3", build: str = "") -> None:
    go = machine / "bin" / "go"
    go.write_text(GO.format(version=version, log=machine / "builds", build=build))
    go.chmod(0o755)


def _built(machine: Path) -> list[str]:
    """Return the programs that were to be built, in turn."""
    return (machine / "builds").read_text().splitlines()


def _give(folder: Path, names: tuple[str, ...]) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).touch(mode=0o755)


def test_what_is_given_is_used_if_it_is_whole(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _play_go(machine)
    _give(machine / "whole", binaries.NAMES)
    _give(machine / "part", binaries.NAMES[:2])

    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "whole"))
    assert binaries.folder() == machine / "whole"
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "part"))
    assert binaries.folder() == machine / "cache" / binaries.key()


def test_they_are_built_once_and_a_build_that_failed_goes_on_where_it_stopped(machine: Path) -> None:
    _play_go(machine, build='case "$PWD" in */kube-apiserver) echo "no network here" >&2; exit 1;; esac')
    with pytest.raises(BuildFailed, match="no network here"):
        binaries.folder()
    _play_go(machine)

    kept = binaries.folder()
    assert binaries.folder() == kept
    assert binaries.is_complete(kept)

    assert _built(machine) == ["etcd", "kube-controller-manager", "kube-apiserver", "kube-apiserver"]
    assert sorted(path.name for path in kept.parent.iterdir()) == [kept.name, f"{kept.name}.lock"]


def test_kubectl_is_built_for_who_asks_for_it_and_not_for_the_start_of_a_control_plane(machine: Path) -> None:
    _play_go(machine)
    plane = ControlPlane(machine / "plane")
    with pytest.raises(NotReady):  # the programs of this build end at once
        plane.start()
    plane.stop()
    assert _built(machine) == ["etcd", "kube-controller-manager", "kube-apiserver"]

    assert binaries.kubectl() == binaries.kubectl() == machine / "cache" / binaries.key((binaries.KUBECTL,)) / "kubectl"
    assert _built(machine)[3:] == ["kubectl"]


def test_a_kubectl_that_is_given_is_used(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _play_go(machine)
    _give(machine / "given", (*binaries.NAMES, "kubectl"))
    _give(machine / "without", binaries.NAMES)

    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "given"))
    assert binaries.kubectl() == machine / "given" / "kubectl"
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "without"))
    assert binaries.kubectl().parent.parent == machine / "cache"
    assert binaries.folder() == machine / "without"
    assert _built(machine) == ["kubectl"]


def test_each_build_is_kept_under_what_goes_into_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(binaries.SOURCE, tmp_path / "go")
    monkeypatch.setattr(binaries, "SOURCE", tmp_path / "go")

    def keys() -> tuple[str, str]:
        return binaries.key(), binaries.key((binaries.KUBECTL,))

    plane, kubectl = keys()
    for file in ("main.go", "go.mod", "go.sum"):
        with (tmp_path / "go" / "kubectl" / file).open("a") as source:
            source.write("\n")
        before, kubectl = kubectl, keys()[1]
        assert keys()[0] == plane
        assert kubectl != before
    for file in ("etcd/main.go", "go.mod", "go.sum"):
        with (tmp_path / "go" / file).open("a") as source:
            source.write("\n")
        before, plane = plane, keys()[0]
        assert plane != before
        assert keys()[1] == kubectl


def test_kubectl_is_of_the_control_planes_release() -> None:
    required = (binaries.SOURCE / "kubectl" / "go.mod").read_text()
    assert f"\tk8s.io/kubectl v{binaries.VERSION.replace('1', '0', 1)}\n" in required
    assert f"\tk8s.io/kubernetes v{binaries.VERSION}\n" in (binaries.SOURCE / "go.mod").read_text()


def test_another_go_is_not_good_enough(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_index(place: Path) -> None:
        raise BuildFailed(f"no Go for {place.name}")

    monkeypatch.setattr(go_toolchain, "_fetch", no_index)
    _play_go(machine, "1.26")
    assert go_toolchain.go_command(machine) == machine / "bin" / "go"

    for version in ("1.25.9", "1.27.0", "1.260"):
        _play_go(machine, version)
        with pytest.raises(BuildFailed, match="no Go for wheel"):
            go_toolchain.go_command(machine)


STARTER = """
import sys, threading
from pathlib import Path
from tests.cluster.programs import Program
program = Program("sleep", Path(sys.argv[1]), lasting=sys.argv[2] == "lasting")
starter = threading.Thread(target=program.start, args=(Path("/usr/bin"), ["600"]))
starter.start()
starter.join()
print(program.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("life", ["lasting", "guarded"])
def test_a_program_ends_with_the_process_that_started_it_unless_it_is_to_last(
    life: str, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path), life]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        pid = int(starter.stdout.readline())
        eventually(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")  # its guard is set by now
        assert start_time(pid), "it outlives the thread that started it"
        starter.kill()

    if life == "guarded":
        eventually(lambda: not start_time(pid))
    else:
        assert start_time(pid)
        os.kill(pid, signal.SIGKILL)
