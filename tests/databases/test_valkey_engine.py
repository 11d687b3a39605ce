"""Valkey 9 and 8 as ordered: real engines and their front under a real supervisor, real clients over verified TLS."""

import gc
import os
import signal
from collections.abc import Callable, Iterator

import pytest
import redis
from redis.cluster import RedisCluster

from apps.databases.offerings.valkey import OFFERING
from apps.databases.offerings.valkey.spec import ValkeySpec
from portal.core.drivers import ChildView
from tests.clusters.local.conftest import Supervised
from tests.databases.conftest import is_true
from tests.databases.valkey import ValkeyService, plan

pytestmark = [
    pytest.mark.engine,
    # redis-py leaves the socket of a TLS handshake that failed to the garbage collector
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]
RELEASES = ("9.1.2", "9.0.0", "8.1.8")
Order = Callable[..., ValkeyService]
FORBIDDEN = (
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "dir", "/tmp"),
    ("DEBUG", "SLEEP", "0"),
    ("MODULE", "LIST"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "admin", "+@all"),
    ("ACL", "LOAD"),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "NO", "ONE"),
    ("SLAVEOF", "NO", "ONE"),
    ("FAILOVER",),
    ("SAVE",),
    ("BGSAVE",),
    ("BGREWRITEAOF",),
    ("SYNC",),
    ("PSYNC", "?", "-1"),
    ("REPLCONF", "capa", "eof"),
    ("MONITOR",),
    ("MIGRATE", "127.0.0.1", "1", "k", "0", "1"),
    ("RESTORE", "k", "0", "x"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("CLIENT", "PAUSE", "1"),
    ("CLUSTER", "RESET"),
    ("SWAPDB", "0", "1"),
    ("LATENCY", "RESET"),
)


@pytest.fixture(autouse=True)
def sockets_are_collected() -> Iterator[None]:
    """Have what redis-py leaves open collected while that mark still holds, and not at the end of the run."""
    yield
    gc.collect()


@pytest.fixture
def ordered(supervised: Supervised) -> Order:
    """``ordered(release)``: a settled service of that release."""
    number = iter(range(1, 100))

    def order(release: str = "9.1.2", size: str = "dev-1", **spec: object) -> ValkeyService:
        handle = f"vktest{next(number):06d}"
        service = ValkeyService(supervised, handle, release, plan=plan(size), spec=ValkeySpec.model_validate(spec))
        service.settle()
        return service

    return order


@pytest.mark.parametrize("release", RELEASES)
def test_a_service_lives_through_what_its_owner_does(ordered: Order, release: str) -> None:
    service = ordered(release)
    _answers_over_verified_tls_only(service, release)
    _keeps_tenants_in_their_place(service)
    _gives_each_access_what_it_says(service)
    _rotates_without_a_gap(service)
    _keeps_every_key_and_transaction_over_stop_and_kill(service)
    _takes_up_settings_without_a_restart(service)
    _keeps_its_secrets_to_itself(service)


def _answers_over_verified_tls_only(service: ValkeyService, release: str) -> None:
    with service.client() as client:
        assert client.ping()
        assert client.info("server")["valkey_version"] == release
        assert client.acl_whoami() == "admin"
    plain = redis.Redis(host="localhost", port=service.ports["main"], socket_timeout=5)
    with pytest.raises(redis.ConnectionError):
        plain.ping()
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        redis.Redis.from_url(service.uri()).ping()
    nobody = redis.Redis(host="localhost", port=service.ports["main"], ssl=True, ssl_ca_certs=str(service.ca))
    with nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()
    for name, password in (("admin", "wrong"), ("default", "")):
        with pytest.raises(redis.AuthenticationError):
            service.client(username=name, password=password).ping()


def _keeps_tenants_in_their_place(service: ValkeyService) -> None:
    for words in FORBIDDEN:
        refusal = service.denied(*words)
        assert "permission" in refusal or "not allowed" in refusal, words
    with service.client() as client:
        assert client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, "by-script", "1") == "OK"
        with pytest.raises(redis.exceptions.ResponseError):
            client.eval("return redis.call('CONFIG', 'GET', 'dir')", 0)
        with pytest.raises(redis.exceptions.ResponseError):
            client.eval("return io.open('/etc/passwd')", 0)
        client.flushall()


def _gives_each_access_what_it_says(service: ValkeyService) -> None:
    service.add("users", "app", access="write", keys=("app:*", "{u}:*"), channels=("news:*",))
    service.add("users", "report", access="read", keys=("app:*",), channels=("news:*",))
    with service.client("app") as app, service.client("report") as report:
        app.set("app:1", "one")
        app.set("{u}:1", "braces")
        assert report.get("app:1") == "one"
        heard = report.pubsub(ignore_subscribe_messages=True)
        heard.subscribe("news:today")
        service.room.eventually(lambda: app.publish("news:today", "hello") == 1, "somebody listens")
        found: list[object] = []
        service.room.eventually(lambda: found.append(heard.get_message(timeout=1)) or any(found), "it is heard")
        heard.close()
    assert "permission" in service.denied("SET", "other", "1", user="app")
    assert "permission" in service.denied("SET", "app:1", "1", user="report")
    assert "permission" in service.denied("GET", "{u}:1", user="report")
    assert "permission" in service.denied("PUBLISH", "secret", "x", user="app")
    assert "permission" in service.denied("SUBSCRIBE", "secret", user="report")
    assert "permission" in service.denied("PUBLISH", "news:today", "x", user="report")
    assert "permission" in service.denied("FLUSHALL", user="app")


def _rotates_without_a_gap(service: ValkeyService) -> None:
    admin = service.child("users", "admin")
    service.add("users", "admin-2", predecessor=str(admin.id), access="admin")
    with service.client("admin") as old, service.client("admin-2") as new:
        assert old.ping()
        assert new.ping()
    before = service.uri("admin-2")
    row = service.child("users", "admin-2")
    service.alter(row, spec=row.spec.model_copy(update={"rotation": 1, "predecessor": None}))
    assert service.uri("admin-2") != before
    with service.client("admin-2") as new:
        assert new.ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(before, ssl_ca_certs=str(service.ca)).ping()
    with service.client("admin-2") as lingering:
        lingering.ping()
        service.delete(service.child("users", "admin-2"))
        with pytest.raises((redis.ConnectionError, redis.AuthenticationError)):
            lingering.ping()


def _fill(service: ValkeyService, first: int) -> None:
    """Write keys, half of them by transactions."""
    with service.client() as client:
        for number in range(first, first + 50):
            client.set(f"plain:{number}", number)
            pipe = client.pipeline(transaction=True)
            pipe.set(f"multi:{number}", number)
            pipe.incr("counter")
            pipe.execute()


def _keeps_every_key_and_transaction_over_stop_and_kill(service: ValkeyService) -> None:
    _fill(service, 0)
    port = service.ports["main"]
    stopped = service.change(running=False)
    assert stopped.observation is not None
    assert is_true(stopped.observation, "Stopped")
    with pytest.raises(redis.ConnectionError):
        service.client().ping()
    service.change(running=True)
    assert service.ports["main"] == port
    with service.client() as client:
        assert (client.get("counter"), client.exists(*(f"multi:{n}" for n in range(50)))) == ("50", 50)
    _fill(service, 50)
    with service.client() as client:
        size = client.dbsize()
    service.room.eventually(lambda: service.info()["aof_pending_bio_fsync"] == 0, "the log is written out")
    os.kill(service.room.pid(service.view.handle), signal.SIGKILL)
    service.until(lambda: service.state().crashes == 1 and service.state().ready, "another engine answers")
    with service.client() as client:
        assert client.dbsize() == size
        assert client.get("counter") == "100"


def _takes_up_settings_without_a_restart(service: ValkeyService) -> None:
    began = service.info()["run_id"]
    service.respec(maxmemory_policy="allkeys-lru", notify_keyspace_events="KEA", timeout_seconds=600)
    with service.own() as own:
        assert own.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        assert own.config_get("timeout") == {"timeout": "600"}
        assert set(own.config_get("notify-keyspace-events")["notify-keyspace-events"]) == set("AKE")
    assert service.info()["run_id"] == began
    service.respec(databases=32)
    with service.own() as own:
        assert own.config_get("databases") == {"databases": "32"}
    with service.client(db=31) as client:
        assert client.ping()


def _keeps_its_secrets_to_itself(service: ValkeyService) -> None:
    values = [value for secret in service.home.secrets().values() for value in secret.values()]
    told = [*service.home.log.rglob("*.log"), *service.home.path.glob("*.json")]
    told.remove(service.home.secrets_file)
    texts = {path.name: path.read_text() for path in told}
    assert {"engine.log", "companion-front.log", "unit.json", "state.json"} <= set(texts)
    assert not [name for name, text in texts.items() if any(value in text for value in values)]
    written = (service.home.root / "etc/users.acl").read_text()
    assert any(value in written for value in values), "the search finds what is there"


def test_a_replica_follows_is_read_from_and_promoted(ordered: Order) -> None:
    service = ordered()
    service.respec(replicas=2)
    assert service.observation is not None
    assert not is_true(service.observation, "SettingsRefused")
    assert [(e.component, e.usage) for e in service.observation.endpoints] == [
        ("primary", "primary"),
        ("replica", "replica"),
    ]
    _fill(service, 0)
    with service.client(port="replica") as reader:
        service.room.eventually(lambda: reader.get("counter") == "50", "the replicas have it all")
    refusal = service.denied("SET", "x", "1", port="replica")
    assert "read only replica" in refusal
    early = service.client()
    early.set("before", "1")
    service.respec(primary=2)
    assert (service.info(2)["role"], service.info(1)["role"]) == ("master", "slave")
    service.room.eventually(lambda: _takes_writes(service), "the front has found the new primary")
    service.room.eventually(lambda: _is_written(early), "a connection from before was cut off, its next one is right")
    with service.client() as client:
        assert (client.get("before"), client.get("counter")) == ("1", "50")
        client.set("after", "2")
    os.kill(service.room.companion(service.view.handle, "node-2"), signal.SIGKILL)
    service.until(lambda: service.state().ready and _takes_writes(service), "the primary is back")
    with service.client() as client:
        assert (client.get("after"), client.get("counter")) == ("2", "50")
    service.change(restarts=1)
    assert service.info(2)["role"] == "master"
    service.respec(replicas=0, primary=1)
    service.room.eventually(lambda: _takes_writes(service), "the front has found the only node")
    with service.client() as client:
        assert (client.get("after"), client.get("counter")) == ("2", "50")
    assert service.view.facts["primary"] == 1
    assert not is_true(service.observation, "SettingsRefused")
    early.close()


def _takes_writes(service: ValkeyService) -> bool:
    with service.client(socket_timeout=2) as client:
        return _is_written(client)


def _is_written(client: "redis.Redis") -> bool:
    try:
        return bool(client.set("probe", "1"))
    except redis.RedisError:
        return False


@pytest.mark.parametrize("path", [("rdb", "aof", "rdb"), ("none", "both", "none")], ids="-".join)
def test_no_change_of_persistence_loses_a_key_or_restarts(ordered: Order, path: tuple[str, ...]) -> None:
    first, *others = path
    service = ordered(persistence=first)
    began = service.info()["run_id"]
    _fill(service, 0)
    for kind in others:
        service.respec(persistence=kind)
        assert service.view.facts["persistence"] == kind
        assert service.info()["run_id"] == began
        if kind != "none":
            os.kill(service.room.pid(service.view.handle), signal.SIGKILL)
            crashes = service.state().crashes
            service.until(lambda: service.state().crashes > crashes and service.state().ready, "it is back")  # noqa: B023
            began = service.info()["run_id"]
            with service.client() as client:
                assert client.get("counter") == "50", kind
    if path[-1] == "none":
        service.change(restarts=1)
        with service.client() as client:
            assert client.dbsize() == 0


def test_a_cluster_serves_its_clients_over_tls_and_comes_back_from_a_backup(ordered: Order) -> None:
    service = ordered(size="free", mode="cluster")
    words = {f"word:{number}": str(number) for number in range(200)}
    client = service.cluster()
    for key, value in words.items():
        client.set(key, value)
    assert len(client.get_primaries()) == 3
    assert {service.info(node)["db0"]["keys"] > 0 for node in (1, 2, 3)} == {True}
    for port in ("main", "main-2", "main-3"):
        with pytest.raises(redis.ConnectionError):
            redis.Redis(host="localhost", port=service.ports[port], socket_timeout=5).ping()
    client.close()
    backup = service.add("backups", "backup-1")
    assert backup.state == "succeeded", service.observation
    service.cluster().flushall(target_nodes=RedisCluster.PRIMARIES)
    copy = service.restored(backup, "vkrestored00")
    copy.settle()
    found = copy.cluster()
    assert {key: found.get(key) for key in words} == words
    service.change(restarts=1)
    service.room.eventually(lambda: _reaches_all(service), "all nodes answer again")
    service.restore_in_place(backup)
    service.room.eventually(lambda: _reaches_all(service), "all nodes answer again")
    found = service.cluster()
    assert {key: found.get(key) for key in words} == words


def _reaches_all(service: ValkeyService) -> bool:
    try:
        return bool(service.cluster().ping(target_nodes=RedisCluster.PRIMARIES))
    except redis.RedisError:
        return False


@pytest.mark.parametrize("release", ["9.1.1", "8.1.8"])
def test_a_backup_comes_back_with_every_key_and_none_of_the_old_passwords(ordered: Order, release: str) -> None:
    service = ordered(release)
    service.add("users", "app")
    _fill(service, 0)
    if release == "9.1.1":
        service.change(release="9.1.2")
        assert service.info()["valkey_version"] == "9.1.2"
    backup = service.add("backups", "backup-1")
    assert backup.state == "succeeded", service.observation
    path = service.home.artifacts / str(backup.facts["artifact"])
    assert path.stat().st_size == backup.facts["bytes"] > 0
    assert path.read_bytes().startswith((b"VALKEY", b"REDIS"))
    with service.client() as client:
        client.flushall()
        client.set("later", "1")
    copy = service.restored(backup, "vkrestored00")
    copy.settle()
    with copy.client() as client, copy.client("app") as app:
        assert (client.get("counter"), app.get("multi:7"), client.get("later")) == ("50", "7", None)
    old = service.uri().replace(str(service.ports["main"]), str(copy.ports["main"]))
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(old, ssl_ca_certs=str(copy.ca)).ping()
    service.restore_in_place(backup)
    with service.client() as client:
        assert (client.get("counter"), client.get("later")) == ("50", None)
    service.room.eventually(lambda: not (service.home.root / "data").exists(), "the replaced data is removed")
    _refuses_a_damaged_backup(service, backup)
    service.delete(service.child("backups", "backup-1"))
    service.room.eventually(lambda: not list(service.home.artifacts.iterdir()), "the backup's files are removed")


def _refuses_a_damaged_backup(service: ValkeyService, backup: ChildView) -> None:
    path = service.home.artifacts / str(backup.facts["artifact"])
    path.write_bytes(path.read_bytes()[:-20])
    seen = []
    settle, service.settle = service.settle, lambda: service  # type: ignore[method-assign]
    service.restore_in_place(backup)
    service.until(lambda: seen.append(service.observation) or service.view.facts.get("restore_failed"), "it failed")
    service.settle = settle  # type: ignore[method-assign]
    service.settle()
    assert any(is_true(observation, "Stalled") for observation in seen if observation)
    assert service.observation is not None
    assert is_true(service.observation, "RestoreFailed")
    with service.client() as client:
        assert client.get("counter") == "50"


def test_networks_memory_and_numbers(ordered: Order) -> None:
    service = ordered(size="free", maxmemory_policy="noeviction")
    began = service.info()["run_id"]
    service.change(allow_list=("192.0.2.0/24", "2001:db8::/32"))
    service.room.eventually(lambda: not _takes_writes(service), "loopback is kept out")
    service.change(allow_list=("192.0.2.0/24", "127.0.0.0/8"))
    service.room.eventually(lambda: _takes_writes(service), "loopback is let in")
    assert service.info()["run_id"] == began
    with service.client() as client:
        value = "x" * 1_000_000
        for number in range(185):
            client.set(f"large:{number}", value)
        for number in range(20):
            try:
                client.set(f"more:{number}", value)
            except redis.exceptions.OutOfMemoryError:
                break
        else:
            pytest.fail("it took more than its memory")
    service.until(lambda: is_true(service.turn(), "MemoryNearlyFull"), "it warns", 60)
    drawn = {source for metric in OFFERING.metrics for source, _label in metric.sources}
    told = set(service.sample())
    own = {"cpu", "memory", "disk", "processes", "cpu_percent", "memory_bytes", "disk_bytes"}
    assert drawn - own <= told
    service.change(plan=plan("dev-1"))
    with service.client() as client:
        assert client.get("large:3") == value
        client.set("fits", value)
        assert client.info("memory")["maxmemory"] == 768 << 20


def test_a_stop_while_the_log_is_written_is_repeated_until_it_is_heeded(ordered: Order) -> None:
    service = ordered(persistence="rdb")
    with service.client() as client:
        for number in range(40):
            client.set(f"large:{number}", os.urandom(200_000).hex())
    with service.own() as own:
        own.config_set("appendonly", "yes")
    stopped = service.change(running=False)
    assert stopped.observation is not None
    assert is_true(stopped.observation, "Stopped")
    service.change(running=True)
    with service.client() as client:
        assert client.dbsize() == 40
