"""Limits: a control group where one is delegated, and process limits that don't break an engine."""

import subprocess
from pathlib import Path

import pytest

from portal.clusters.backends.local import limits
from portal.core.drivers import Limits

WANTED = Limits(memory_mib=512, cpu=1.5, processes=50, open_files=1000)


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    group = tmp_path / "cgroup" / "portal.service"
    group.mkdir(parents=True)
    (group / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (group / "cgroup.subtree_control").touch()
    (group / "cgroup.procs").write_text("101\n102\n")
    (tmp_path / "own").write_text("0::/portal.service\n")
    return group


def test_a_delegated_v2_group_is_used(version_2: Path, tmp_path: Path) -> None:
    assert limits.describe(tmp_path / "cgroup", tmp_path / "own") == "v2"
    groups = limits.find_groups(tmp_path / "cgroup", tmp_path / "own")
    assert groups.version == 2
    assert (version_2 / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    groups.join("abc", WANTED, 4711)
    group = version_2 / "abc"
    assert (group / "memory.max").read_text() == str(512 * 1024 * 1024)
    assert (group / "cpu.max").read_text() == "150000 100000"
    assert (group / "pids.max").read_text() == "50"
    assert (group / "cgroup.procs").read_text() == "4711"


def test_delegated_v1_controllers_are_used(tmp_path: Path) -> None:
    for controller in ("memory", "cpu"):
        (tmp_path / "cgroup" / controller / "ours").mkdir(parents=True)
    (tmp_path / "own").write_text("5:memory:/ours\n4:cpu,cpuacct:/ours\n3:pids:/theirs\n0::/\n")
    assert limits.describe(tmp_path / "cgroup", tmp_path / "own") == "v1 cpu memory"
    limits.find_groups(tmp_path / "cgroup", tmp_path / "own").join("abc", WANTED, 4711)
    assert (tmp_path / "cgroup/memory/ours/abc/memory.limit_in_bytes").read_text() == str(512 * 1024 * 1024)
    assert (tmp_path / "cgroup/cpu/ours/abc/cpu.cfs_quota_us").read_text() == "150000"


def test_nothing_delegated_leaves_process_limits(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    groups = limits.find_groups(tmp_path / "cgroup", tmp_path / "own")
    assert groups.parents == {}
    assert limits.describe(tmp_path / "cgroup", tmp_path / "own") == ""
    assert groups.join("abc", WANTED, 1) is None


def test_memory_is_bounded_by_data_not_by_address_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_counts_per_namespace", lambda: True)
    words = limits.rlimits(WANTED, sandboxed=True, grouped=False)
    assert f"--data={512 * 1024 * 1024}" in words
    assert not any(word.startswith("--as") for word in words)
    assert "--nproc=50" in words
    assert "--nofile=1000" in words


def test_processes_are_not_counted_where_that_would_count_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_counts_per_namespace", lambda: True)
    assert not any("nproc" in word for word in limits.rlimits(WANTED, sandboxed=False, grouped=False))
    monkeypatch.setattr(limits, "_counts_per_namespace", lambda: False)
    assert not any("nproc" in word for word in limits.rlimits(WANTED, sandboxed=True, grouped=False))


def test_a_group_makes_memory_limits_of_processes_needless() -> None:
    assert not any("data" in word for word in limits.rlimits(WANTED, sandboxed=True, grouped=True))


def test_the_limits_hold_in_a_process() -> None:
    words = limits.rlimits(Limits(memory_mib=300, open_files=99), sandboxed=False, grouped=False)
    greedy = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0]); bytearray(400 << 20)"
    done = subprocess.run([*words, "/usr/bin/python3", "-c", greedy], capture_output=True, text=True, check=False)
    assert done.stdout == "99\n"
    assert "MemoryError" in done.stderr
