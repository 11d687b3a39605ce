"""Keeps all cluster tests of a run on one worker where files are shared out: they have one control plane in common."""

import pytest
from xdist.scheduler import LoadFileScheduling

FOLDER = "tests/cluster"


class Scheduling(LoadFileScheduling):
    """Hands out files, and this folder as if it were one."""

    def _split_scope(self, nodeid: str) -> str:
        return FOLDER if nodeid.startswith(f"{FOLDER}/") else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    """Take the place of ``--dist loadfile``; without sharing by files each worker has a control plane of its own."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None
