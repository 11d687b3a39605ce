"""``manage.py down``: stop the portal that serves a data directory, from another shell; nothing is left."""

import argparse
import os
import shutil
import signal
import time
from pathlib import Path
from typing import NoReturn

from portal.bootstrap import running
from portal.bootstrap.paths import run_directory
from portal.bootstrap.say import refuse, say
from portal.clusters.backends.local.supervisor import control
from portal.instance import proc
from portal.instance.processes import recorded
from portal.instance.stopping import CODE, Stop, stop_on_signals

HELP = (
    "Stop the portal that serves a data directory, with its services, and wait until nothing is left. What was ordered "
    "is there again after the next up."
)
WITHIN = 60.0  # seconds; ``up`` itself takes 55 at most
LAST = 4.0  # of these for what an orderly end has left
LOOK_EVERY = 0.05


def main(root: Path, data: Path, arguments: list[str]) -> NoReturn:
    """Stop what runs, and end the process: 0 where nothing runs afterwards."""
    parser = argparse.ArgumentParser(prog="manage.py down", description=HELP)
    parser.add_argument("--data", metavar="DIR", help="the directory that holds everything (default: .archipel)")
    parser.parse_args(arguments)
    stop_on_signals()
    try:
        raise SystemExit(0 if down(data) else 1)
    except Stop:
        raise SystemExit(CODE) from None


def down(data: Path) -> bool:
    """Stop an instance. Return whether nothing of it is left; says what it does."""
    record = running.served(data)
    if record and not record["port"]:
        refuse(f"a command is at work in {data} (pid {record['pid']}): wait for its end, or interrupt it")
    if not record:
        _refuse_lone_supervisor(data)
    if not record and not left_of(data):
        say(f"nothing runs in {data}")
        return True
    where = f" at http://{running.HOST}:{record['port']}/ (pid {record['pid']})" if record else ""
    say(f"stopping the portal{where}" if record else f"ending what a killed portal has left in {data}")
    begun = time.monotonic()
    _ask_to_stop(data, begun + WITHIN - LAST)
    gone = _end_the_rest(data, begun + WITHIN)
    say(f"stopped after {time.monotonic() - begun:.0f} s" if gone else f"still there: {left_of(data)}")
    return gone


def _refuse_lone_supervisor(data: Path) -> None:
    """In production nothing here has started the processes, and something else would start them again."""
    try:
        pid = control.ask(data, {"op": "ping"}, timeout=1.0).get("pid")
    except (OSError, ValueError):
        return
    ours = recorded(data / "run" / "supervisor.json")
    if not (ours and ours.alive() and ours.pid == pid):
        refuse(f"a supervisor serves {data} by itself (pid {pid}): stop it by what has started it")


def _ask_to_stop(data: Path, until: float) -> None:
    """Send SIGTERM to whatever ``up`` is by now, once each: a guardian may put another in the place of a killed one."""
    asked: set[int] = set()
    while time.monotonic() < until:
        record = running.served(data)
        if record and record["pid"] not in asked:
            asked.add(record["pid"])
            proc.send(record["pid"], signal.SIGTERM)
        if not record and not _may_come_back(data):
            return
        time.sleep(LOOK_EVERY)


def _may_come_back(data: Path) -> bool:
    """Whether a guardian lives, which would start another ``up``, or finishes what a killed one had begun to stop."""
    guardian = recorded(data / "run" / "guardian.json")
    return guardian is not None and guardian.alive()


def _end_the_rest(data: Path, until: float) -> bool:
    """Kill what is left, which is nothing after an orderly end, and remove the sockets."""
    while (left := left_of(data)) and time.monotonic() < until:
        for pid in left:
            proc.send(pid, signal.SIGKILL)
        time.sleep(LOOK_EVERY)
    if not left:
        shutil.rmtree(run_directory(data), ignore_errors=True)
        for record in (data / "run").glob("*.json"):
            record.unlink(missing_ok=True)
    return not left


def left_of(data: Path) -> list[int]:
    """Return the processes that a portal of this directory has started, and those that stand in its database."""
    record = running.served(data)
    serving = [record["pid"]] if record and record["pid"] != os.getpid() else []
    databases = [pid for cluster in (data / "postgres").glob("*") for pid in proc.working_in(cluster)]
    return sorted({*proc.started_for(data), *serving, *databases})
