"""How a life is led whose supervisor is killed at its points: once undisturbed, to count them, then struck at each."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from tests.chaos.every_write.struck import NOWHERE, Point, Struck

SEED = 4
SEEN_OFTEN = 2  # what comes again and again by the clock, such as a probe, is struck this often
BY_THE_CLOCK = ("Popen /usr/bin/python3 -I -c", "sample.json", "answer", "stock/", "head -c 9", "valkey-cli")
Points = dict[str, list[Point]]  # of each step


class Lived(Protocol):
    """The life of one instance with its supervisor, step by step."""

    struck: Struck
    in_short: tuple[str, ...]  # a life that is struck in no other step goes without the others
    patience: float  # seconds for a step

    def steps(self) -> Mapping[str, Callable[[Point], None]]:
        """Return what is asked in each step, of a supervisor that dies at the point."""

    def is_done(self) -> bool:
        """Whether what is asked for is there."""

    def check(self, step: str) -> None:
        """Nothing is lost, doubled or left over."""


def lead(life: Lived, points: dict[str, Point]) -> tuple[dict[str, Counter[str]], int]:
    """Lead a life; return the points that each step passed, and in how many the supervisor died."""
    passed, deaths = {}, 0
    shortened = points and points.keys() <= set(life.in_short)
    life.struck.start()
    for name, act in life.steps().items():
        if shortened and name not in life.in_short:
            continue
        point = points.get(name, NOWHERE)
        act(point)
        _eventually(life, lambda: life.struck.died or (life.is_done() and life.struck.quiet()), f"{name}: {point}")
        passed[name] = life.struck.passed()
        if not life.struck.died:
            life.struck.arm(NOWHERE)  # what comes by the clock could bring it to the point after all
        if life.struck.died:
            deaths += life.struck.bury() < 0
            life.struck.start()
        _eventually(life, life.is_done, f"{name} after {point}")
        life.check(name)
    life.struck.close()
    return passed, deaths


def _eventually(life: Lived, look: Callable[[], object], what: str) -> None:
    life.struck.eventually(look, what, life.patience)


def points_of(passed: dict[str, Counter[str]]) -> Points:
    """Return every point of every step."""
    return {
        step: [(name, nth) for name, times in sorted(names.items()) for nth in range(1, min(times, most(name)) + 1)]
        for step, names in passed.items()
    }


def most(name: str) -> int:
    """Return how many points of one name are struck."""
    return SEEN_OFTEN if any(word in name for word in BY_THE_CLOCK) else 1000


def walk(new_life: Callable[[], Lived], lives: int = 0) -> str:
    """Strike everywhere, or in as many lives at points that the seed chooses; return how many points were struck."""
    passed, deaths = lead(new_life(), {})
    assert deaths == 0
    points, chance, chosen, struck = points_of(passed), random.Random(SEED), 0, 0
    for number in range(lives or max(map(len, points.values()))):
        one = {
            step: chance.choice(known) if lives else known[number]
            for step, known in points.items()
            if lives or number < len(known)
        }
        struck += lead(new_life(), one)[1]
        chosen += len(one)
    assert struck > chosen / 2, "points are found again"  # not all: what goes on at once comes in another order
    return f"kill -9 of the supervisor: {struck} at {chosen} of {sum(map(len, points.values()))} points"
