"""What benchmarks say of processor time."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.bench import processor

BUSY = "import time\nwhile time.process_time() < 0.3: pass"


def test_it_counts_what_a_process_works_and_not_how_long_it_lives(eventually: Callable[..., Any]) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as idle:
        waiting = processor.Used([idle.pid])
        spent = processor.Used([os.getpid(), idle.pid])
        eventually(lambda: sum(range(3_000_000)) and spent.seconds() >= 0.3)
        assert waiting.seconds() < spent.seconds()
        idle.communicate(b"\n")
        with pytest.raises(FileNotFoundError):
            waiting.seconds()


def test_of_children_it_counts_those_that_have_ended() -> None:
    before = processor.of_ended_children()
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert processor.of_ended_children() - before >= 0.3
