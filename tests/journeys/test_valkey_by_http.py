"""What a script over HTTP finds at a Valkey alone, with real clients; the rest is in ``test_whole_life_by_http.py``."""

import gc
import tempfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.cluster import RedisCluster

from tests.journeys.instance import Api, Instance, eventually

pytestmark = [
    pytest.mark.engine,
    # redis-py leaves the socket of a TLS handshake that failed to the garbage collector
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def sockets_are_collected() -> Iterator[None]:
    """Have what redis-py leaves open collected while that mark still holds, and not at the end of the run."""
    yield
    gc.collect()


def order(api: Api, name: str, **fields: Any) -> str:
    """Order a Valkey, wait for it, and return the service's id."""
    body = {"name": name, "offering": "valkey", "plan": "free", **fields}
    operation = api.ok("POST", "/api/v1/projects/demo/services", body, Idempotency_Key=str(uuid.uuid4()))
    return str(api.finished(operation)["service"])


def credential(api: Api, service: str, name: str = "admin") -> dict[str, Any]:
    """Reveal a login: URI and authority, as a customer gets them."""
    page = api.ok("GET", f"/api/v1/services/{service}/credentials")
    wanted = next(item for item in page["items"] if item["username"] == name)
    shown = api.ok("POST", f"/api/v1/services/{service}/credentials/{wanted['id']}/reveal")
    assert shown["uri"].startswith("rediss://")
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as authority:
        authority.write(shown["ca_pem"])
    return {"uri": shown["uri"], "ca": authority.name, "id": wanted["id"]}


def connect(api: Api, service: str, name: str = "admin", **options: Any) -> "redis.Redis":
    """Connect with the revealed URI and the authority's certificate, fully verified."""
    way = credential(api, service, name)
    fields = {"socket_timeout": 10, "decode_responses": True, **options}
    return redis.Redis.from_url(way["uri"], ssl_ca_certs=way["ca"], **fields)


def change(api: Api, service: str, **spec: Any) -> None:
    api.finished(api.ok("PATCH", f"/api/v1/services/{service}", {"spec": spec}))


def wipe(api: Api, service: str) -> None:
    api.finished(api.ok("DELETE", f"/api/v1/services/{service}?deletion_policy=wipe"))


def directories(instance: Instance) -> set[str]:
    """Return the services that have one."""
    return {path.name for path in (instance.data / "services").glob("[!.]*")}


def test_the_catalog_and_a_quote_tell_the_price_of_each_node(api: Api) -> None:
    offering = api.ok("GET", "/api/v1/catalog/offerings/valkey")
    assert {"9.1", "9.0", "8.1"} == {version["version"] for version in offering["versions"]}
    prices = []
    for spec in ({}, {"replicas": 2}, {"mode": "cluster"}):
        body = {"project": "demo", "name": "quoted", "offering": "valkey", "plan": "dev-1", "spec": spec}
        prices.append(float(api.ok("POST", "/api/v1/quotes", body)["after"]["hourly"]))
    assert prices[0] > 0
    assert prices[1] == prices[2] == pytest.approx(prices[0] * 3, rel=0.001)  # rounded to six places on the wire


def test_a_login_hears_and_says_what_it_may(api: Api) -> None:
    service = order(api, "vk-channels")
    with connect(api, service) as client:
        client.set("word:1", "one")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.config_get("*")
    spec = {"access": "write", "keys": ["app:*"], "channels": ["news:*"]}
    api.finished(api.ok("POST", f"/api/v1/services/{service}/users", {"name": "app", "spec": spec}))
    with connect(api, service, "app") as app:
        heard = app.pubsub(ignore_subscribe_messages=True)
        heard.subscribe("news:today")
        eventually(lambda: app.publish("news:today", "hello") == 1, what="somebody listens")
        assert eventually(lambda: heard.get_message(timeout=1), what="it is heard")["data"] == "hello"
        heard.close()
        for refused in (("PUBLISH", "other", "x"), ("SUBSCRIBE", "other"), ("GET", "word:1"), ("FLUSHALL",)):
            with pytest.raises(redis.exceptions.NoPermissionError):
                app.execute_command(*refused)
    wrong = {"access": "write", "keys": ["a\nuser evil on nopass ~* +@all"]}
    status, answer, _headers = api.call("POST", f"/api/v1/services/{service}/users", {"name": "evil", "spec": wrong})
    assert (status, answer["errors"][0]["pointer"]) == (422, "/spec/keys/0")
    wipe(api, service)


def test_a_replica_is_promoted_and_the_address_stays(api: Api) -> None:
    service = order(api, "vk-replicas", plan="dev-1", spec={"replicas": 1})
    endpoints = api.ok("GET", f"/api/v1/services/{service}/endpoints")["items"]
    assert [(item["usage"], item["tls"]) for item in endpoints] == [("primary", True), ("replica", True)]
    with connect(api, service) as client:
        client.set("greeting", "hello")
    way = credential(api, service)
    replica = way["uri"].replace(f":{endpoints[0]['port']}/", f":{endpoints[1]['port']}/")
    with redis.Redis.from_url(replica, ssl_ca_certs=way["ca"], decode_responses=True) as reader:
        eventually(lambda: reader.get("greeting") == "hello", what="the replica has it")
        with pytest.raises(redis.exceptions.ReadOnlyError):
            reader.set("x", "1")
    change(api, service, primary=2)
    eventually(lambda: _writes(api, service), what="the new primary takes writes")
    with connect(api, service) as client:
        assert client.get("greeting") == "hello"
    wipe(api, service)


def _writes(api: Api, service: str) -> bool:
    try:
        with connect(api, service, socket_timeout=2) as client:
            return bool(client.set("probe", "1"))
    except redis.RedisError:
        return False


def test_a_cluster_of_three_nodes_over_tls(api: Api) -> None:
    service = order(api, "vk-cluster", spec={"mode": "cluster"})
    way = credential(api, service)
    client = RedisCluster.from_url(way["uri"], ssl_ca_certs=way["ca"], decode_responses=True)
    words = {f"word:{number}": str(number) for number in range(100)}
    for key, value in words.items():
        client.set(key, value)
    assert len(client.get_primaries()) == 3
    assert {key: client.get(key) for key in words} == words
    client.close()
    status, answer, _headers = api.call("PATCH", f"/api/v1/services/{service}", {"spec": {"mode": "standalone"}})
    assert (status, answer["errors"][0]["code"]) == (422, "immutable")
    wipe(api, service)


def test_the_order_command_prints_a_uri_and_nothing_is_left_of_a_wiped_service(instance: Instance, api: Api) -> None:
    before = directories(instance)
    words = ("order", "valkey", "vk-by-shell", "--plan", "free", "--wait")
    uri = instance.manage(*words, within=600).strip().splitlines()[-1]
    assert uri.startswith("rediss://")
    client = redis.Redis.from_url(uri, decode_responses=True)  # as it stands: the file it names verifies the server
    assert client.set("by", "shell")
    assert client.get("by") == "shell"
    client.close()
    items = api.ok("GET", "/api/v1/services?limit=200")["items"]
    wipe(api, next(item["id"] for item in items if item["name"] == "vk-by-shell"))
    assert directories(instance) == before
