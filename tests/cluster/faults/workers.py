"""Worker processes as a portal has them: each takes up what is due, one service after the other, until nothing is."""

import json
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connections
from django.utils import timezone

from portal.resources import engine
from portal.resources.models import Resource
from tests.cluster.faults.wire import Wait, Wire

WORKERS = 3  # as ``manage.py worker`` starts
EVERY = 0.02  # seconds between two looks at what is due


@dataclass(frozen=True)
class Done:
    """What one worker has done: its requests by the API server's port, and how many turns."""

    waits: dict[int, list[Wait]]
    turns: int


def work(is_over: Callable[[], bool], wire: Wire, number: int = WORKERS) -> "Running":
    """Start worker processes that work until it is over."""
    connections.close_all()
    return Running([_started(is_over, wire) for _ in range(number)])


class Running:
    """Worker processes at work; ``ended`` waits for them."""

    def __init__(self, children: list[tuple[int, int]]) -> None:
        self._children = children

    def ended(self) -> list[Done]:
        found = []
        for child, pipe in self._children:
            with os.fdopen(pipe) as told:
                text = told.read()
            assert os.waitpid(child, 0)[1] == 0, "a worker broke"
            said = json.loads(text)
            waits = {int(port): [Wait(*one) for one in waits] for port, waits in said["waits"].items()}
            found.append(Done(waits, said["turns"]))
        return found


def _started(is_over: Callable[[], bool], wire: Wire) -> tuple[int, int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    try:
        wire.waits.clear()
        turns = _take_turns(is_over)
        os.write(writer, json.dumps({"waits": wire.waits, "turns": turns}).encode())
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _take_turns(is_over: Callable[[], bool]) -> int:
    turns = 0
    while not is_over():
        due = Resource.objects.due(timezone.now()).values_list("id", flat=True).first()
        if due is None:
            time.sleep(EVERY)
            continue
        engine.reconcile(due, only_due=True)
        turns += 1
    return turns
