"""A whole portal backed up while a customer writes, restored elsewhere: same services and rows, a chain that holds."""

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from portal.bootstrap.paths import run_directory
from portal.instance import proc
from tests.journeys.instance import Api, Instance, eventually

pytestmark = pytest.mark.engine


class Load:
    """Inserts one row after the other, and remembers which were committed."""

    def __init__(self, uri: str, authority: Path) -> None:
        self.committed = 0
        self._connect = lambda: psycopg.connect(uri, sslrootcert=str(authority), autocommit=True)
        with self._connect() as line:
            line.execute("CREATE TABLE words (n int PRIMARY KEY, word text)")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        with self._connect() as line:
            while not self._end.is_set():
                line.execute("INSERT INTO words VALUES (%s, md5(%s))", [self.committed + 1, str(self.committed + 1)])
                self.committed += 1

    def stop(self) -> None:
        self._end.set()
        self._thread.join(30)


def order(api: Api, name: str) -> str:
    body = {"name": name, "offering": "postgresql", "plan": "free"}
    return str(api.finished(api.ok("POST", "/api/v1/projects/demo/services", body))["service"])


def revealed(api: Api, service: str) -> str:
    found = api.ok("GET", f"/api/v1/services/{service}/credentials")["items"][0]["id"]
    return str(api.ok("POST", f"/api/v1/services/{service}/credentials/{found}/reveal")["uri"])


def password(uri: str) -> Any:
    return psycopg.conninfo.conninfo_to_dict(uri)["password"]


def count(uri: str, authority: Path) -> tuple[int, int]:
    """Return how many rows there are and the last: the same where none is missing."""
    with psycopg.connect(uri, sslrootcert=str(authority)) as line:
        found = line.execute("SELECT count(*), coalesce(max(n), 0) FROM words WHERE word = md5(n::text)").fetchone()
    assert found
    return found[0], found[1]


def is_well(api: Api, service: str) -> bool:
    found = api.ok("GET", f"/api/v1/services/{service}")
    return (found["state"], found["health"]) == ("running", "healthy")


def refused(instance: Instance, *words: str) -> str:
    """Return why a command refuses."""
    with pytest.raises(AssertionError) as caught:
        instance.manage(*words)
    return str(caught.value)


def test_same_services_same_rows_and_a_chain_that_verifies(tmp_path: Path) -> None:
    old, new, file = Instance(tmp_path / "old"), Instance(tmp_path / "new"), tmp_path / "file"
    try:
        _there_and_back(old, new, file)
    finally:
        for instance in (old, new):
            instance.manage("reset", "--yes")
            if instance.process:
                instance.process.wait(30)
    for instance in (old, new):
        assert proc.of_instance(instance.data) == []
        assert not run_directory(instance.data).exists()
        assert not instance.data.exists()


def _there_and_back(old: Instance, new: Instance, file: Path) -> None:
    old.up()
    token = old.token()
    api = Api(old.url, token)
    busy, still = order(api, "busy"), order(api, "still")
    authority = old.data / "public" / "ca.pem"
    uris = {service: revealed(api, service) for service in (busy, still)}
    rest = Load(uris[still], authority)
    eventually(lambda: rest.committed > 20, within=60)
    rest.stop()
    api.finished(api.ok("POST", f"/api/v1/services/{still}/stop"))
    link = old.signin()
    assert api.call("GET", "/sign-in/" + link.rpartition("/sign-in/")[2])[0] == 200

    head = file.with_name("head")
    old.manage("verifyaudit", "--export", str(head))
    load = Load(uris[busy], authority)
    eventually(lambda: load.committed > 50, within=60)
    before = load.committed
    old.manage("backup", str(file), within=600)
    during = load.committed
    load.stop()

    assert during > before, "the service did not serve while it was backed up"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "exists already" in refused(old, "backup", str(file))
    assert "holds a portal already" in refused(old, "restore", str(file))
    eventually(lambda: not api.ok("GET", f"/api/v1/services/{busy}/backups")["items"], within=60)
    old.manage("down")
    assert proc.of_instance(old.data) == []

    _refuse_damaged(new, file)
    new.manage("restore", str(file), within=600)
    new.up()
    api = Api(new.url, token)
    eventually(lambda: is_well(api, busy), within=180)
    moved = revealed(api, busy)
    assert password(moved) == password(uris[busy])
    assert moved.split("?")[0] != uris[busy].split("?")[0]  # the old portal is still there, and so are its ports
    rows, last = count(moved, authority)
    assert before <= rows == last <= load.committed
    assert api.ok("GET", f"/api/v1/services/{still}")["state"] == "stopped"
    api.finished(api.ok("POST", f"/api/v1/services/{still}/start"))
    assert count(revealed(api, still), authority) == (rest.committed, rest.committed)

    assert "demo: ok" in new.manage("verifyaudit", "--head", str(head))
    assert api.call("GET", "/sign-in/" + link.rpartition("/sign-in/")[2])[0] == 410


def _refuse_damaged(new: Instance, file: Path) -> None:
    whole = file.read_bytes()
    broken = file.with_name("broken")
    for content in (whole[: len(whole) // 2], whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]):
        broken.write_bytes(content)
        assert "damaged" in (said := refused(new, "restore", str(broken))) or "cut off" in said
    assert not (new.data / "postgres").exists() or not list((new.data / "postgres").iterdir())
