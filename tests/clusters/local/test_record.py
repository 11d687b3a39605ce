"""What a supervisor makes of what the one before it had under way."""

import datetime
from pathlib import Path

from portal.clusters.backends.local.layout import Home, Wish
from portal.clusters.backends.local.supervisor.record import Record
from portal.core.drivers import RunResult

BEGUN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def test_work_that_was_cut_off_is_done_again_unless_it_may_not_run_twice(tmp_path: Path) -> None:
    home = Home(tmp_path, "cutoff222222")
    assert home.record(Wish(home.handle, 1, 1, "running"))
    before = Record(home)
    before.once = {"dump"}
    under_way, over = RunResult("running", started_at=BEGUN), RunResult("succeeded", 0, started_at=BEGUN)
    before.set_runs({"dump": under_way, "check": under_way, "room": over})
    after = Record(home)
    assert set(after.seen.runs) == {"dump", "room"}
    assert after.seen.runs["room"] == over
    assert (after.seen.runs["dump"].state, after.seen.runs["dump"].started_at) == ("failed", BEGUN)
    assert "cut off by a restart" in after.seen.runs["dump"].output
    assert Record(home).seen == after.seen, "it is written down"
