"""Engine packages: pinned, fetched once by the machine's own tools, tested, sealed, and usable without a network."""

import json
import os
import re
import stat
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from portal.clusters.backends.local.packages import (
    CATALOGUE,
    PackageFetchFailed,
    Source,
    available,
    ensure,
    fetch,
    host,
    installed,
    sources,
)
from portal.clusters.backends.local.packages.catalogue import Package

ENTRY = Package(
    key="tool-1",
    title="Tool 1.0",
    source=Source.PIP,
    name="tool",
    version="1.0",
    digest="0" * 64,
    packager="Somebody",
    licence="MIT",
    download_bytes=1_500_000,
    links={"bin": "inside/programs"},
    smoke=("bin/tool", "--version"),
    expect="1.0",
)


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry, whose fetch is counted and makes a small script."""
    fetched: list[str] = []

    def fetch_it(entry: Package, tree: Path, scratch: Path, need: sources.Need) -> dict[str, str]:
        fetched.append(entry.key)
        (tree / "inside" / "programs").mkdir(parents=True)
        tool = tree / "inside" / "programs" / "tool"
        tool.write_text("#!/bin/sh\necho tool 1.0\n")
        tool.chmod(0o755)
        return {"sha256": entry.digest}

    monkeypatch.setattr("portal.clusters.backends.local.packages.catalogue.CATALOGUE", {"tool-1": ENTRY})
    monkeypatch.setattr(fetch, "_FETCH", {Source.PIP: fetch_it})
    return fetched


def test_a_package_is_fetched_once_and_sealed(catalogue: list[str], tmp_path: Path) -> None:
    said: list[str] = []
    home = ensure("tool-1", said.append, prefix=tmp_path)
    assert ensure("tool-1", said.append, prefix=tmp_path) == home
    assert catalogue == ["tool-1"]
    assert said[0] == "fetching Tool 1.0, 2 MB"
    assert subprocess.run([home / "bin" / "tool"], capture_output=True, text=True, check=True).stdout == "tool 1.0\n"
    assert json.loads((home / "manifest.json").read_text())["packager"] == "Somebody"
    modes = [path.stat().st_mode for path in (home, *home.rglob("*"))]
    assert not any(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for mode in modes)


def test_two_at_once_fetch_once(catalogue: list[str], tmp_path: Path) -> None:
    both = [threading.Thread(target=ensure, args=("tool-1",), kwargs={"prefix": tmp_path}) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert catalogue == ["tool-1"]


def test_what_does_not_run_here_is_not_kept(
    catalogue: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"tool-1": Package(**{**_fields(ENTRY), "expect": "2.0"})}
    monkeypatch.setattr("portal.clusters.backends.local.packages.catalogue.CATALOGUE", broken)
    with pytest.raises(PackageFetchFailed, match=r"was fetched but does not run here: tool 1\.0"):
        ensure("tool-1", prefix=tmp_path)
    assert not installed("tool-1", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".tool-1.lock"]


def test_the_rest_of_a_cut_off_fetch_is_swept(catalogue: list[str], tmp_path: Path) -> None:
    (tmp_path / ".tool-1-x7f" / "new").mkdir(parents=True)
    (tmp_path / "tool-1").mkdir()
    ensure("tool-1", prefix=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tool-1.lock", "tool-1"]


def test_an_unknown_key_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PackageFetchFailed, match="there is no package 'oracle-23' in the catalogue"):
        ensure("oracle-23", prefix=tmp_path)


def test_every_entry_is_pinned() -> None:
    for entry in CATALOGUE.values():
        if entry.source is Source.PIP:
            assert re.fullmatch(r"[0-9a-f]{64}", entry.digest), entry.key
        elif entry.source is Source.NPM:
            assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", entry.digest), entry.key
        assert entry.packager, entry.key
        assert entry.licence, entry.key
        assert entry.smoke, entry.key


def test_a_host_says_what_it_can_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.platform, "machine", lambda: "riscv64")
    assert available(tmp_path)["valkey-9.1"] == "Valkey 9.1.2 is built for x86_64, this host is riscv64"
    monkeypatch.setattr(host.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(host, "pip_command", lambda: ())
    monkeypatch.setattr(host.shutil, "which", lambda *args, **rest: None)
    found = available(tmp_path)
    assert found["valkey-9.1"] == "pip is not installed on this host"
    assert found["postgresql-18.4"] == "neither npm nor pip is installed on this host"
    assert found["chromium"] == "only on Debian hosts (apt-get, dpkg-deb not found)"


def test_a_package_in_place_needs_no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "valkey-9.1").mkdir()
    (tmp_path / "valkey-9.1" / "manifest.json").write_text("{}")
    monkeypatch.setattr(host, "pip_command", lambda: ())
    assert available(tmp_path)["valkey-9.1"] == ""
    assert ensure("valkey-9.1", prefix=tmp_path) == tmp_path / "valkey-9.1"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_tarball_can_not_write_outside(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(PackageFetchFailed, match="may not be unpacked"):
        sources.unpack(tmp_path / "bad.tgz", tmp_path / "tree")


def test_a_tarball_may_hold_no_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with tarfile.open(tmp_path / "bad.tgz", "w:gz") as archive:
        archive.add(tmp_path / "link", arcname="link")
    with pytest.raises(PackageFetchFailed, match="may not be unpacked"):
        sources.unpack(tmp_path / "bad.tgz", tmp_path / "tree")


def test_apt_says_what_it_would_install() -> None:
    plan = ["Reading package lists...", "Inst libx (1.2-3 Debian:12/stable [amd64])", "Inst chromium [1] (2.0~deb (x))"]
    assert sources.planned([*plan, "Conf libx (1.2-3)"]) == [("libx", "1.2-3"), ("chromium", "2.0~deb")]


def test_the_line_that_says_most_is_found() -> None:
    assert host.telling_line("noise\nERROR: No matching distribution\nWARNING: x") == "ERROR: No matching distribution"
    npm = "npm error code E404\nnpm error 404 Not Found\nnpm error A complete log of this run can be found in: x"
    assert host.telling_line(npm) == "npm error code E404"
    assert host.telling_line("") == "it failed without a word"


def test_fetchers_get_a_home_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    env = host.environment(tmp_path)
    assert env["HOME"] == str(tmp_path)
    assert env["PIP_INDEX_URL"] == "https://mirror.example/simple"
    monkeypatch.setenv("HOME", str(tmp_path / ".."))
    assert host.environment(tmp_path)["HOME"] == os.environ["HOME"]


@pytest.mark.engine
@pytest.mark.parametrize("key", ["postgresql-17.10", "valkey-9.1", "bubblewrap"])
def test_what_every_instance_needs_can_be_had(packages: Path, key: str) -> None:
    assert (ensure(key, prefix=packages) / "manifest.json").is_file()


@pytest.mark.full
@pytest.mark.parametrize("key", sorted(CATALOGUE))
def test_the_whole_catalogue_can_be_had(packages: Path, key: str) -> None:
    if reason := available(packages)[key]:
        pytest.skip(reason)
    home = ensure(key, prefix=packages)
    if key.startswith("postgresql-") and "tools" not in key:
        for program in ("postgres", "initdb", "pg_ctl"):
            done = subprocess.run([home / "bin" / program, "--version"], capture_output=True, text=True, check=True)
            assert key.removeprefix("postgresql-") in done.stdout


def _fields(entry: Package) -> dict[str, object]:
    return {name: getattr(entry, name) for name in Package.__dataclass_fields__}
