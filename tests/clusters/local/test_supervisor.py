"""The supervisor with a tiny engine: adoption, crashes, restarts, runs, and that nothing is ever left or doubled."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portal.clusters.backends.local import proc
from portal.core.drivers import Command, GeneratedSecret, Phase, Probe, Run, Unit

if TYPE_CHECKING:
    from tests.clusters.local.conftest import Supervised

pytestmark = pytest.mark.engine
HANDLE = "abcdefgh2345"
Units = Callable[..., Unit]


def test_it_starts_an_engine_and_says_when_it_is_ready(supervised: "Supervised", small_unit: Units) -> None:
    supervised.wish(HANDLE, small_unit(), generation=3)
    state = supervised.until_ready(HANDLE, generation=3)
    assert [step.name for step in state.steps] == ["prepare", "start", "probe"]
    assert all(step.finished_at for step in state.steps)
    woken = supervised.data / "woken"
    supervised.eventually(lambda: woken.exists() and HANDLE in woken.read_text(), "the engine room is told")


def test_a_killed_engine_comes_back_alone(either: "Supervised", small_unit: Units) -> None:
    either.wish(HANDLE, small_unit())
    either.until_ready(HANDLE)
    first = either.pid(HANDLE)
    os.kill(first, signal.SIGKILL)
    either.eventually(lambda: either.state(HANDLE).crashes == 1, "the crash is counted")
    either.until_ready(HANDLE)
    second = either.pid(HANDLE)
    assert second != first
    assert proc.process(first) is None


def test_a_killed_supervisor_is_followed_by_one_that_adopts(either: "Supervised", small_unit: Units) -> None:
    either.wish(HANDLE, small_unit())
    either.until_ready(HANDLE)
    pid = either.pid(HANDLE)
    tree = proc.descendants([pid], proc.every())
    either.kill()
    either.start()
    either.wish(HANDLE, small_unit(), generation=2)
    either.until_ready(HANDLE, generation=2)
    assert either.pid(HANDLE) == pid
    assert proc.descendants([pid], proc.every()) == tree
    os.kill(pid, signal.SIGKILL)
    either.eventually(lambda: either.state(HANDLE).crashes == 1, "the end of an adopted engine is seen")
    either.until_ready(HANDLE, generation=2)


def test_stop_start_and_restart(either: "Supervised", small_unit: Units) -> None:
    home = either.wish(HANDLE, small_unit())
    either.until_ready(HANDLE)
    either.wish(HANDLE, small_unit(running=False), generation=2)
    assert either.until(HANDLE, Phase.STOPPED).generation == 2
    assert proc.of_instance(either.data, HANDLE) == set()
    either.wish(HANDLE, small_unit(), generation=3)
    either.until_ready(HANDLE, generation=3)
    first = either.pid(HANDLE)
    either.wish(HANDLE, small_unit(restarts=1), generation=4)
    either.until_ready(HANDLE, generation=4)
    assert either.pid(HANDLE) != first
    assert (home.root / "starts").read_text().split() == ["one", "one", "one"]


def test_a_changed_file_restarts_or_reloads_as_it_says(supervised: "Supervised", small_unit: Units) -> None:
    home = supervised.wish(HANDLE, small_unit())
    supervised.until_ready(HANDLE)
    first = supervised.pid(HANDLE)
    supervised.wish(HANDLE, small_unit(soft="two"), generation=2)
    supervised.until_ready(HANDLE, generation=2)
    supervised.eventually((home.root / "reloaded").exists, "it was told to reload")
    assert supervised.pid(HANDLE) == first
    supervised.wish(HANDLE, small_unit(soft="two", hard="two"), generation=3)
    supervised.until_ready(HANDLE, generation=3)
    assert supervised.pid(HANDLE) != first
    assert (home.root / "starts").read_text().split() == ["one", "two"]


def test_deleting_leaves_nothing(either: "Supervised", small_unit: Units) -> None:
    home = either.wish(HANDLE, small_unit())
    either.until_ready(HANDLE)
    either.wish(HANDLE, small_unit(), want="absent", generation=2)
    either.eventually(lambda: not home.exists(), "the directory is gone")
    assert not home.run.exists()
    assert proc.of_instance(either.data, HANDLE) == set()
    assert home.buried()


def test_runs_are_kept_by_key_and_their_secrets_masked(supervised: "Supervised", small_unit: Units) -> None:
    secret = GeneratedSecret("admin")
    greet = Run("greet", ("/bin/cat",), stdin=f"it is {secret.ref()}!")
    once = Run("once", ("/bin/sh", "-c", "echo x >> {{dir}}/once; exit 3"), once=True)
    dump = Run("dump", ("/bin/sh", "-c", "printf 12345 > {{artifacts}}/d"), artifact="d", lane="backup")
    slow = Run("slow", ("/bin/sleep", "100"), timeout_seconds=1, lane="slow", once=True)
    home = supervised.wish(HANDLE, small_unit(secrets=(secret,), runs=(greet, once, dump, slow)))
    supervised.eventually(
        lambda: len([1 for run in supervised.state(HANDLE).runs.values() if run.finished_at]) == 4, "all runs ended"
    )
    runs = supervised.state(HANDLE).runs
    assert runs["greet"].output == "it is ***!"
    assert (runs["once"].state, runs["once"].exit_code) == ("failed", 3)
    assert runs["dump"].artifact_bytes == 5
    assert runs["slow"].state == "failed"
    assert "longer than 1 s" in runs["slow"].output
    supervised.wish(HANDLE, small_unit(secrets=(secret,), runs=(once,)), generation=2)
    supervised.until_ready(HANDLE, generation=2)
    assert (home.root / "once").read_text() == "x\n"
    supervised.eventually(lambda: set(supervised.state(HANDLE).runs) == {"once", "slow"}, "other results are dropped")
    supervised.eventually(lambda: not (home.artifacts / "d").exists(), "what nobody keeps is removed")


def test_a_run_that_a_crash_of_the_supervisor_cuts_off_has_failed(either: "Supervised", small_unit: Units) -> None:
    forever = Run(
        "forever", ("/bin/sh", "-c", "echo x >> {{dir}}/forever; exec sleep 1000"), once=True, timeout_seconds=900
    )
    home = either.wish(HANDLE, small_unit(runs=(forever,)))
    either.eventually((home.root / "forever").exists, "the run has begun")
    either.kill()
    either.start()
    either.eventually(lambda: either.state(HANDLE).runs["forever"].state == "failed", "it counts as failed")
    either.until_ready(HANDLE)
    assert (home.root / "forever").read_text() == "x\n"
    either.eventually(lambda: not _sleepers(either), "the run's process is gone")


def test_a_cancelled_run_ends(either: "Supervised", small_unit: Units) -> None:
    def run(**rest: bool) -> Run:
        return Run("long", ("/bin/sleep", "1000"), timeout_seconds=900, **rest)

    either.wish(HANDLE, small_unit(runs=(run(),)))
    either.eventually(lambda: "long" in either.state(HANDLE).runs, "it has begun")
    either.wish(HANDLE, small_unit(runs=(run(cancelled=True),)), generation=2)
    either.eventually(lambda: either.state(HANDLE).runs["long"].state == "cancelled", "it was cancelled")
    either.eventually(lambda: not _sleepers(either), "its process is gone")


def test_a_failed_run_is_tried_again_and_holds_up_none(supervised: "Supervised", small_unit: Units) -> None:
    flaky = Run("flaky", ("/bin/sh", "-c", "test -e {{dir}}/tried || { touch {{dir}}/tried; exit 1; }"))
    after = Run("after", ("/bin/true",))
    supervised.wish(HANDLE, small_unit(runs=(flaky, after)))
    supervised.eventually(lambda: _state(supervised, "after") == "succeeded", "the next of its lane is not held up")
    supervised.eventually(lambda: _state(supervised, "flaky") == "succeeded", "it is tried again soon", 10)


def test_a_run_counts_for_those_that_it_covers_where_it_succeeds(supervised: "Supervised", small_unit: Units) -> None:
    def runs(code: int) -> tuple[Run, ...]:
        parts = (Run(f"{name}{code}", ("/bin/sh", "-c", f"echo {name}{code} >> {{{{dir}}}}/ran")) for name in "ab")
        return (Run(f"all{code}", ("/bin/sh", "-c", f"exit {code}"), covers=(f"a{code}", f"b{code}")), *parts)

    home = supervised.wish(HANDLE, small_unit(runs=(*runs(0), *runs(1))))
    supervised.eventually(lambda: len(supervised.state(HANDLE).runs) == 6, "all have a result")
    supervised.eventually(lambda: supervised.state(HANDLE).runs["b1"].state == "succeeded", "the last has ended")
    states = {key: result.state for key, result in supervised.state(HANDLE).runs.items() if key != "all1"}
    assert states == dict.fromkeys(("all0", "a0", "b0", "a1", "b1"), "succeeded")
    assert (home.root / "ran").read_text().split() == ["a1", "b1"]


def test_an_engine_is_not_asked_before_it_shows_itself(supervised: "Supervised", small_unit: Units) -> None:
    ask = "import os, sys; s, log = sys.argv[1:]; print(os.path.exists(s), file=open(log, 'a'), flush=True)"
    unit = small_unit()
    argv = ("/usr/bin/python3", "-I", "-c", f"{ask}; {unit.probe.argv[3]}", "{{run}}/s", "{{dir}}/asked")
    home = supervised.wish(HANDLE, small_unit(probe=Probe(argv, after="{{run}}/s")))
    supervised.until_ready(HANDLE)
    assert set((home.root / "asked").read_text().split()) == {"True"}


def test_work_that_needs_the_engine_stopped_comes_before_the_start(either: "Supervised", small_unit: Units) -> None:
    home = either.wish(HANDLE, small_unit())
    either.until_ready(HANDLE)
    offline = Run("offline", ("/bin/sh", "-c", "sleep 1; wc -l < {{dir}}/starts"), while_stopped=True)
    either.wish(HANDLE, small_unit(running=False, runs=(offline,)), generation=2)
    either.eventually(lambda: _state(either, "offline") == "running", "it has begun")
    either.wish(HANDLE, small_unit(runs=(offline,)), generation=3)
    either.until_ready(HANDLE, generation=3)
    result = either.state(HANDLE).runs["offline"]
    assert (result.state, result.output.strip()) == ("succeeded", "1")
    assert (home.root / "starts").read_text().split() == ["one", "one"]


def _state(supervised: "Supervised", key: str) -> str:
    result = supervised.state(HANDLE).runs.get(key)
    return result.state if result else ""


def test_preparation_is_repeated_whole_when_it_fails(supervised: "Supervised", small_unit: Units) -> None:
    broken = Command("make it", ("/bin/sh", "-c", "touch {{dir}}/half; echo no luck >&2; exit 1"))
    home = supervised.wish(HANDLE, small_unit(prepare=(broken,)))
    state = supervised.until(HANDLE, Phase.FAILED)
    assert (state.reason, state.message) == ("PrepareFailed", "make it: no luck")
    mended = Command("make it", ("/bin/sh", "-c", "test ! -e {{dir}}/half && touch {{dir}}/whole"))
    supervised.wish(HANDLE, small_unit(prepare=(mended,)), generation=2)
    supervised.until_ready(HANDLE, generation=2)
    supervised.wish(HANDLE, small_unit(prepare=(broken,)), generation=3)
    supervised.until_ready(HANDLE, generation=3)
    assert (home.root / "whole").exists()


def test_an_engine_that_keeps_crashing_says_so(supervised: "Supervised", small_unit: Units) -> None:
    supervised.wish(HANDLE, small_unit(argv=("/bin/sh", "-c", "echo broken config; exit 7")))
    supervised.eventually(lambda: supervised.state(HANDLE).reason == "CrashLoop", "it is called a crash loop", 20)
    state = supervised.state(HANDLE)
    assert "exit code 7" in state.message
    assert "broken config" in state.message
    supervised.wish(HANDLE, small_unit(), generation=2)
    supervised.until_ready(HANDLE, generation=2)


def test_sigterm_ends_everything_and_a_detached_one_leaves_it(either: "Supervised", small_unit: Units) -> None:
    either.wish(HANDLE, small_unit())
    either.until_ready(HANDLE)
    pid = either.pid(HANDLE)
    assert either.end(signal.SIGUSR1) == 0
    assert proc.process(pid)
    either.start()
    either.until_ready(HANDLE)
    assert either.pid(HANDLE) == pid
    assert either.end() == 0
    assert proc.of_instance(either.data, HANDLE) == set()
    either.start()
    either.until_ready(HANDLE)


def _sleepers(supervised: "Supervised") -> list[int]:
    found = proc.of_instance(supervised.data, HANDLE)
    return [pid for pid in found if b"sleep" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
