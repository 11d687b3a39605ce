"""Keeps all cluster tests of a run on one worker where files are shared out: they have one control plane in common.

Its programs are built before anything else runs where they have to be: no other test is measured beside a compiler.
"""

import contextlib

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.cluster import binaries
from tests.cluster.go_toolchain import BuildFailed

FOLDER = "tests/cluster"


class Scheduling(LoadFileScheduling):
    """Hands out files, and this folder as if it were one."""

    def _split_scope(self, nodeid: str) -> str:
        return FOLDER if nodeid.startswith(f"{FOLDER}/") else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    """Take the place of ``--dist loadfile``; without sharing by files each worker has a control plane of its own."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Build what is missing, before workers start. A build that fails is told by the tests that need it."""
    config = session.config
    if not hasattr(config, "workerinput") and config.getoption("dist", "no") == "loadfile" and _are_asked(config):
        with contextlib.suppress(BuildFailed):
            binaries.folder()


def _are_asked(config: pytest.Config) -> bool:
    """Whether the run takes in this folder."""
    here = config.rootpath / FOLDER
    asked = [(config.invocation_params.dir / word.partition("::")[0]).resolve() for word in config.args]
    within = any(here.is_relative_to(path) or path.is_relative_to(here) for path in asked)
    return within and "not engine" not in config.getoption("markexpr")
