"""Companions of a tiny engine: each has a way of its own, all stand together, and none is ever left or doubled."""

import dataclasses
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from portal.clusters.backends.local import files, proc
from portal.clusters.backends.local.layout import Home
from portal.core.drivers import Command, Companion, File, Phase, Probe, Run, Unit
from tests.chaos import processes
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.clusters.local.conftest import Supervised

pytestmark = pytest.mark.engine
HANDLE = "abcdefgh2345"
Units = Callable[..., Unit]

_BESIDE = """
import os, signal, socket, sys
name, port, main = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def tell(what):
    with open(name + ".told", "a") as file:
        file.write(what + chr(10))
def end(*_):
    line = socket.socket(socket.AF_UNIX)
    is_gone = line.connect_ex(main) or line.recv(5) != b"hello"
    tell("stopped after main" if is_gone else "stopped before main")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, lambda *_: tell("reloaded"))
tell("started")
if os.fork() == 0:
    os.setsid()
    while True:
        signal.pause()
server = socket.create_server(("127.0.0.1", port))
print(name, "serves", flush=True)
while True:
    line, _ = server.accept()
    line.sendall(name.encode())
    line.close()
"""
_ASK = (
    "import socket,sys; sys.exit(socket.create_connection(('127.0.0.1', sys.argv[2])).recv(9) != sys.argv[1].encode())"
)


def companion(name: str, **rest: Any) -> Companion:
    """Return one that answers with its name on the port of its name, and takes note of what befalls it."""
    argv = ("/usr/bin/python3", "-I", "{{dir}}/beside.py", name, f"{{{{port:{name}}}}}", "{{run}}/s")
    probe = Probe(("/usr/bin/python3", "-I", "-c", _ASK, name, f"{{{{port:{name}}}}}"))
    usual = Companion(name, argv, probe, reload_signal="SIGHUP", stop_patience_seconds=5.0)
    return dataclasses.replace(usual, **rest)


@pytest.fixture
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("main", "front", "copy")}


@pytest.fixture
def make(small_unit: Units) -> Units:
    """The tiny engine with companions. ``front.conf`` and ``copy.conf`` are theirs, of which the second reloads."""

    def unit(*companions: Companion, front: str = "one", copy: str = "one", **rest: Any) -> Unit:
        bare = small_unit(**rest)
        theirs = (File("etc/front.conf", front), File("etc/copy.conf", copy, on_change="reload"))
        listed = {path for one in companions for path in one.files}
        more = (File("beside.py", _BESIDE, on_change="none"), *(file for file in theirs if file.path in listed))
        return dataclasses.replace(bare, files=(*bare.files, *more), companions=companions)

    return unit


def both(**rest: Any) -> tuple[Companion, Companion]:
    return companion("front", files=("etc/front.conf",), **rest), companion("copy", files=("etc/copy.conf",))


def told(home: Home, name: str) -> list[str]:
    path = home.root / f"{name}.told"
    return path.read_text().split("\n")[:-1] if path.exists() else []


def pids(supervised: "Supervised") -> dict[str, int]:
    """Return the main process and the companions."""
    stored = files.read_json(Home(supervised.data, HANDLE).state_file) or {}
    return {"main": supervised.pid(HANDLE), **{name: one["pid"] for name, one in stored["companions"].items()}}


def is_one_family(supervised: "Supervised") -> bool:
    """Whether all processes of the instance come from the main process and one process of each companion."""
    stored = files.read_json(Home(supervised.data, HANDLE).state_file) or {}
    ones = [stored["identity"], *stored["companions"].values()]
    table = proc.every()
    family = proc.descendants([pid for one in ones for pid in (one["pid"], one["keeper"])], table)
    return proc.of_instance(supervised.data, HANDLE, table) == family


def _succeeded(supervised: "Supervised", key: str) -> bool:
    result = supervised.state(HANDLE).runs.get(key)
    return result is not None and result.state == "succeeded"


def test_they_start_once_the_main_process_answers_and_are_ready_with_it(
    either: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    talk = Run("talk", ("/usr/bin/python3", "-I", "-c", _ASK, "copy", "{{port:copy}}"), once=True)
    home = either.wish(HANDLE, make(*both(), runs=(talk,)), **ports)
    state = either.until_ready(HANDLE)
    assert {name: one.ready for name, one in state.companions.items()} == {"front": True, "copy": True}
    assert [step.name for step in state.steps] == ["prepare", "start", "probe", "companions"]
    assert all(step.finished_at for step in state.steps)
    assert told(home, "front") == told(home, "copy") == ["started"]
    assert (home.log / "companion-front.log").read_text() == "front serves\n"
    either.eventually(lambda: _succeeded(either, "talk"), "a run talks to one")
    either.eventually(lambda: is_one_family(either), "one process each")
    island: Any = SimpleNamespace(data=either.data, inside=lambda: either.data)
    found = {"front": [either.companion(HANDLE, "front")], "copy": [either.companion(HANDLE, "copy")]}
    assert processes.companions(island, HANDLE) == found, "the judge of faults finds the same"
    assert processes.companions_asked(island, HANDLE) == set(found)


def test_the_end_of_one_leaves_the_others_alone(either: "Supervised", make: Units, ports: dict[str, int]) -> None:
    home = either.wish(HANDLE, make(*both()), **ports)
    either.until_ready(HANDLE)
    before = pids(either)
    os.kill(before["front"], signal.SIGKILL)
    either.eventually(lambda: either.state(HANDLE).companions["front"].crashes == 1, "the crash is counted")
    either.until_ready(HANDLE)
    after = pids(either)
    assert (after["main"], after["copy"]) == (before["main"], before["copy"])
    assert told(home, "front") == ["started", "started"]
    os.kill(before["main"], signal.SIGKILL)
    either.eventually(lambda: either.state(HANDLE).crashes == 1, "so is the main process's")
    either.until_ready(HANDLE)
    assert {**pids(either), "main": 0} == {**after, "main": 0}
    assert told(home, "copy") == ["started"]
    either.eventually(lambda: is_one_family(either), "one process each")


def test_one_that_keeps_crashing_says_so_while_the_others_go_on(
    supervised: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    broken = companion("front", argv=("/bin/sh", "-c", "echo no certificate; exit 7"), probe=None)
    count = Run("count", ("/bin/true",))
    supervised.wish(HANDLE, make(broken, companion("copy"), runs=(count,)), **ports)
    supervised.eventually(lambda: supervised.state(HANDLE).reason == "CrashLoop", "it is called a crash loop", 20)
    state = supervised.state(HANDLE)
    assert (state.phase, state.ready, state.generation, state.crashes) == (Phase.RUNNING, False, 0, 0)
    assert state.message == "front: it ended with exit code 7: no certificate"
    assert state.companions["copy"].ready
    supervised.eventually(lambda: _succeeded(supervised, "count"), "work does not wait for it")
    before = pids(supervised)
    supervised.wish(HANDLE, make(companion("front"), companion("copy"), runs=(count,)), generation=2, **ports)
    state = supervised.until_ready(HANDLE, generation=2)
    assert (state.reason, state.message) == ("", "")
    assert {**pids(supervised), "front": 0} == {**before, "front": 0}


def test_a_changed_file_is_about_those_that_list_it(
    supervised: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    home = supervised.wish(HANDLE, make(*both()), **ports)
    supervised.until_ready(HANDLE)
    first = pids(supervised)
    supervised.wish(HANDLE, make(*both(), copy="two"), generation=2, **ports)
    supervised.until_ready(HANDLE, generation=2)
    supervised.eventually(lambda: told(home, "copy") == ["started", "reloaded"], "it was told to reload")
    assert pids(supervised) == first
    supervised.wish(HANDLE, make(*both(), copy="two", front="two"), generation=3, **ports)
    supervised.until_ready(HANDLE, generation=3)
    assert told(home, "front") == ["started", "stopped before main", "started"]
    assert {**pids(supervised), "front": 0} == {**first, "front": 0}
    supervised.wish(HANDLE, make(*both(env={"X": "1"}), copy="two", front="two"), generation=4, **ports)
    supervised.until_ready(HANDLE, generation=4)
    assert told(home, "front")[3:] == ["stopped before main", "started"]
    supervised.wish(HANDLE, make(*both(env={"X": "1"}), copy="two", front="two", hard="two"), generation=5, **ports)
    supervised.until_ready(HANDLE, generation=5)
    assert pids(supervised)["main"] != first["main"], "a file of nobody else's is the main process's"
    assert len(told(home, "front")) == 5
    assert told(home, "copy") == ["started", "reloaded"]


def test_what_concerns_all_starts_all_anew_in_order(either: "Supervised", make: Units, ports: dict[str, int]) -> None:
    home = either.wish(HANDLE, make(*both()), **ports)
    either.until_ready(HANDLE)
    first = pids(either)
    either.wish(HANDLE, make(*both(), restarts=1), generation=2, **ports)
    either.until_ready(HANDLE, generation=2)
    assert set(pids(either).values()).isdisjoint(first.values())
    assert told(home, "front") == told(home, "copy") == ["started", "stopped before main", "started"]
    either.wish(HANDLE, make(*both(), restarts=1, running=False), generation=3, **ports)
    state = either.until(HANDLE, Phase.STOPPED)
    assert not any(one.ready or one.message for one in state.companions.values())
    assert proc.of_instance(either.data, HANDLE) == set()
    assert told(home, "copy")[-1] == "stopped before main"


def test_one_that_is_no_longer_rendered_goes_and_leaves_what_it_made(
    either: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    lay = Command("lay", ("/bin/sh", "-c", "mkdir -p {{dir}}/copies && echo x >> {{dir}}/copies/laid"))
    unit = make(*both(prepare=(lay,)))
    home = either.wish(HANDLE, unit, **ports)
    either.until_ready(HANDLE)
    first = pids(either)
    assert (home.root / "copies/laid").read_text() == "x\n"
    either.wish(HANDLE, make(companion("copy", files=("etc/copy.conf",))), generation=2, **ports)
    state = either.until_ready(HANDLE, generation=2)
    assert set(state.companions) == {"copy"}
    assert proc.process(first["front"]) is None
    assert pids(either) == {"main": first["main"], "copy": first["copy"]}
    assert not (home.root / "etc/front.conf").exists()
    assert (home.root / "copies/laid").exists()
    either.wish(HANDLE, unit, generation=3, **ports)
    either.until_ready(HANDLE, generation=3)
    assert (home.root / "copies/laid").read_text() == "x\nx\n", "one that comes anew is prepared anew"
    either.wish(HANDLE, make(*both(prepare=(lay,)), restarts=1), generation=4, **ports)
    either.until_ready(HANDLE, generation=4)
    assert (home.root / "copies/laid").read_text() == "x\nx\n", "and once only"


def test_a_preparation_that_fails_is_tried_again_and_says_why(
    supervised: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    again = "test -e {{dir}}/tried || { touch {{dir}}/tried; echo no master >&2; exit 1; }"
    flaky = Command("copy the data", ("/bin/sh", "-c", again))
    woken = supervised.data / "woken"
    supervised.wish(HANDLE, make(companion("copy", prepare=(flaky,))), **ports)
    supervised.eventually(
        lambda: supervised.state(HANDLE).reason == "PrepareFailed" or supervised.state(HANDLE).ready, "it says why"
    )
    supervised.until_ready(HANDLE)
    supervised.eventually(woken.exists, "the engine room is told")
    assert "no master" in (Home(supervised.data, HANDLE).log / "runs.log").read_text()


def test_a_killed_supervisor_is_followed_by_one_that_adopts_them(
    either: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    home = either.wish(HANDLE, make(*both()), **ports)
    either.until_ready(HANDLE)
    first = pids(either)
    either.kill()
    either.start()
    either.wish(HANDLE, make(*both()), generation=2, **ports)
    either.until_ready(HANDLE, generation=2)
    assert pids(either) == first
    assert told(home, "front") == told(home, "copy") == ["started"]
    either.eventually(lambda: is_one_family(either), "one process each")
    os.kill(first["copy"], signal.SIGKILL)
    either.eventually(lambda: either.state(HANDLE).companions["copy"].crashes == 1, "the end of an adopted one is seen")
    either.until_ready(HANDLE, generation=2)
    either.kill()
    os.kill(first["front"], signal.SIGKILL)
    either.start()
    either.eventually(lambda: len(told(home, "front")) == 2, "one that ended meanwhile begins again")
    either.until_ready(HANDLE, generation=2)
    either.eventually(lambda: is_one_family(either), "one process each")


def test_a_start_that_a_kill_cut_off_is_ended_not_doubled(
    either: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    """It runs, yet the record knows nothing of it: as after a kill right between start and record."""
    import json

    home = either.wish(HANDLE, make(*both()), **ports)
    either.until_ready(HANDLE)
    first = pids(either)
    either.kill()
    stored = json.loads(home.state_file.read_text())
    del stored["companions"]["front"]
    home.state_file.write_text(json.dumps(stored))
    either.start()
    either.eventually(lambda: len(told(home, "front")) == 2, "it is started")
    either.until_ready(HANDLE)
    assert proc.process(first["front"]) is None
    assert {**pids(either), "front": 0} == {**first, "front": 0}
    either.eventually(lambda: is_one_family(either), "one process each")


def test_sigterm_leaves_nothing_and_stops_them_first(either: "Supervised", make: Units, ports: dict[str, int]) -> None:
    stubborn = companion("front", argv=("/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"), probe=None)
    stubborn = dataclasses.replace(stubborn, stop_patience_seconds=0.5)
    home = either.wish(HANDLE, make(stubborn, companion("copy")), **ports)
    either.until_ready(HANDLE)
    before = pids(either)
    assert either.end(signal.SIGUSR1) == 0
    assert all(proc.process(pid) for pid in before.values()), "a detached supervisor leaves them"
    either.start()
    either.wish(HANDLE, make(stubborn, companion("copy")), generation=2, **ports)
    either.until_ready(HANDLE, generation=2)
    assert pids(either) == before
    assert either.end() == 0
    assert proc.of_instance(either.data, HANDLE) == set()
    assert told(home, "copy") == ["started", "stopped before main"]
    either.start()
    either.until_ready(HANDLE, generation=2)
    either.wish(HANDLE, make(), want="absent", generation=3)
    either.eventually(lambda: not home.exists(), "the directory is gone")
    assert proc.of_instance(either.data, HANDLE) == set()


def test_a_frozen_one_is_not_ready_until_it_goes_on(
    supervised: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    usual = companion("copy")
    assert usual.probe
    impatient = dataclasses.replace(usual.probe, timeout_seconds=0.3, every_seconds=0.3)
    supervised.wish(HANDLE, make(dataclasses.replace(usual, probe=impatient)), **ports)
    supervised.until_ready(HANDLE)
    pid = pids(supervised)["copy"]
    os.kill(pid, signal.SIGSTOP)
    supervised.eventually(lambda: supervised.state(HANDLE).reason == "NotReady", "it is missed")
    assert supervised.state(HANDLE).phase is Phase.RUNNING
    os.kill(pid, signal.SIGCONT)
    supervised.until_ready(HANDLE)
    assert pids(supervised)["copy"] == pid


def test_a_renewed_certificate_is_for_those_that_list_it(
    supervised: "Supervised", make: Units, ports: dict[str, int]
) -> None:
    front, copy = companion("front", files=("tls/cert.pem",)), companion("copy")
    home = supervised.wish(HANDLE, make(front, copy, tls=True), **ports)
    supervised.until_ready(HANDLE)
    before = pids(supervised)
    files.remove_tree(supervised.data / "ca")
    supervised.wish(HANDLE, make(front, copy, tls=True), generation=2, **ports)
    supervised.until_ready(HANDLE, generation=2)
    supervised.eventually(lambda: told(home, "front") == ["started", "reloaded"], "it was told")
    assert told(home, "copy") == ["started"]
    assert not (home.root / "reloaded").exists(), "the main process does not serve it"
    assert pids(supervised) == before
    shared = dataclasses.replace(front, files=(), shared=("tls/cert.pem",))
    supervised.wish(HANDLE, make(shared, copy, tls=True), generation=3, **ports)
    supervised.until_ready(HANDLE, generation=3)
    files.remove_tree(supervised.data / "ca")
    supervised.wish(HANDLE, make(shared, copy, tls=True), generation=4, **ports)
    supervised.until_ready(HANDLE, generation=4)
    supervised.eventually((home.root / "reloaded").exists, "now it does, and is told too")
    supervised.eventually(lambda: told(home, "front")[-1] == "reloaded", "as is the other")


def test_the_whole_service_is_measured(supervised: "Supervised", make: Units, ports: dict[str, int]) -> None:
    supervised.wish(HANDLE, make(*both()), **ports)
    supervised.until_ready(HANDLE)
    sample = Home(supervised.data, HANDLE).sample_file
    supervised.eventually(lambda: (files.read_json(sample) or {}).get("processes", 0) >= 6, "all are counted", 40)


def test_the_port_of_a_living_companion_is_not_taken_by_a_stranger(
    supervised: "Supervised", make: Units, ports: dict[str, int], packages: Path
) -> None:
    supervised.wish(HANDLE, make(*both()), **ports)
    supervised.until_ready(HANDLE)
    os.kill(pids(supervised)["main"], signal.SIGKILL)
    supervised.eventually(lambda: supervised.state(HANDLE).crashes == 1, "the crash is counted")
    supervised.until_ready(HANDLE)
    with socket.create_server(("127.0.0.1", ports["main"])):
        os.kill(pids(supervised)["main"], signal.SIGKILL)
        supervised.eventually(lambda: supervised.state(HANDLE).reason == "PortTaken", "a stranger's is")
    supervised.until_ready(HANDLE)
