"""A control plane that stays: ``manage.py devcluster up|down`` runs ``python -m tests.cluster.devcluster``.

A portal that is being worked on gets a Kubernetes region by it, with the operators' kinds and somebody who plays them.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portal.bootstrap.running import start_time
from portal.bootstrap.say import refuse, say
from tests.cluster.control_plane import ControlPlane, NotReady
from tests.cluster.crds import NotServed
from tests.cluster.go_toolchain import BuildFailed

OPERATOR = "tests.cluster.played_operator"
STOP_WITHIN = 30.0
STORAGE: dict[str, Any] = {  # what addcluster looks for; nobody makes volumes here
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kubernetes.io/no-provisioner",
    "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True,
}
LINES = """The development cluster is ready.
  kubeconfig   {kubeconfig}
  add it       python3 manage.py addcluster dev --kubeconfig {kubeconfig} --region dev
  stop it      python3 manage.py devcluster down"""


class Running:
    """The processes on record: who they are is known by pid and start time, since a pid alone is used again."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "pids.json"

    def note(self, pids: Mapping[str, int]) -> None:
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps({name: [pid, start_time(pid)] for name, pid in pids.items()}))
        draft.replace(self.file)

    def alive(self) -> dict[str, int]:
        """Return the pids of those that still run, in the order they have to be stopped in."""
        try:
            noted: dict[str, list[int]] = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return {}
        return {name: pid for name, (pid, start) in reversed(noted.items()) if start and start_time(pid) == start}


def up(directory: Path) -> None:
    """Start what does not run yet; a directory that held a cluster before goes on with its objects."""
    running = Running(directory)
    if running.alive() and len(running.alive()) < 3:
        down(directory)  # a part of it was killed
    if not running.alive():
        _start(directory, running)
    print(LINES.format(kubeconfig=directory / "admin.kubeconfig"))  # noqa: T201 - its answer


def _start(directory: Path, running: Running) -> None:
    began = time.monotonic()
    control_plane = ControlPlane(directory, lasting=True)
    try:
        control_plane.start()
        running.note(control_plane.pids())
        _install(control_plane)
        running.note({**control_plane.pids(), **_operator(directory)})
    except BaseException:
        control_plane.stop()
        raise
    say(f"started in {time.monotonic() - began:.0f} s, kept in {directory}")


def _install(control_plane: ControlPlane) -> None:
    """Install what the drivers declare, which Django's apps know."""
    import django

    django.setup()
    from tests.cluster import crds

    crds.install(control_plane, crds.declared())
    path = f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE['metadata']['name']}?fieldManager=tests&force=true"
    control_plane.call("PATCH", path, STORAGE, content=crds.APPLY)


def _operator(directory: Path) -> dict[str, int]:
    """Start the one who plays the operators, where there is one."""
    if importlib.util.find_spec(OPERATOR) is None:
        say("nobody plays the operators: what is ordered stays at its first step")
        return {}
    command = [sys.executable, "-m", OPERATOR, "--kubeconfig", str(directory / "admin.kubeconfig")]
    with (directory / "played-operator.log").open("ab") as output:
        played = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    return {"played-operator": played.pid}


def down(directory: Path) -> None:
    """Stop what is on record, the last started first. Its objects stay in the directory."""
    running = Running(directory)
    if not running.alive():
        say(f"nothing runs in {directory}")
    for name, pid in running.alive().items():
        _end(name, pid, running)
    (directory / "pids.json").unlink(missing_ok=True)


def _end(name: str, pid: int, running: Running) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_WITHIN
    while name in running.alive():
        if time.monotonic() > deadline:
            say(f"{name} (pid {pid}) took no notice: killing it")
            os.kill(pid, signal.SIGKILL)
            deadline += STOP_WITHIN
        time.sleep(0.05)
    say(f"stopped {name}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="manage.py devcluster", description="A Kubernetes control plane to try on.")
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument("--directory", type=Path, required=True, metavar="DIR", help="where it keeps its things")
    asked = parser.parse_args()
    try:
        (up if asked.what == "up" else down)(asked.directory.absolute())
    except (BuildFailed, NotReady, NotServed) as error:
        refuse(str(error))


if __name__ == "__main__":
    main()
