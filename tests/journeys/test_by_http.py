"""The first journey over HTTP, by a script that knows only API.md, with a real PostgreSQL and a real client."""

import tempfile
import uuid
from typing import Any

import psycopg
import pytest

from tests.journeys.instance import Api, Instance, eventually

pytestmark = pytest.mark.engine


def order(api: Api, name: str, **fields: Any) -> str:
    """Order a PostgreSQL, wait for it, and return the service's id."""
    body = {"name": name, "offering": "postgresql", "plan": "free", **fields}
    operation = api.ok("POST", "/api/v1/projects/demo/services", body, Idempotency_Key=str(uuid.uuid4()))
    return str(api.finished(operation)["service"])


def connect(api: Api, service: str, database: str = "") -> psycopg.Connection[Any]:
    """Connect as a customer does: with the revealed URI and the authority's certificate, fully verified."""
    page = api.ok("GET", f"/api/v1/services/{service}/credentials")
    shown = api.ok("POST", f"/api/v1/services/{service}/credentials/{page['items'][0]['id']}/reveal")
    assert "sslmode=verify-full" in shown["uri"]
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as authority:
        authority.write(shown["ca_pem"])
    options = {"dbname": database} if database else {}
    return psycopg.connect(shown["uri"], sslrootcert=authority.name, connect_timeout=10, **options)


def rows(api: Api, service: str) -> list[tuple[int, str]]:
    with connect(api, service) as connection:
        return connection.execute("select id, word from words order by id").fetchall()


def wipe(api: Api, service: str) -> None:
    api.finished(api.ok("DELETE", f"/api/v1/services/{service}?deletion_policy=wipe"))


def test_the_catalog_and_a_quote_tell_the_price_before_the_order(api: Api) -> None:
    anonymous = Api(api.url, "")
    offerings = api.ok("GET", "/api/v1/catalog/offerings/postgresql")
    assert {"14", "15", "16", "17", "18"} <= {version["version"] for version in offerings["versions"]}
    assert anonymous.call("GET", "/api/v1/me")[0] == 401
    quote = api.ok("POST", "/api/v1/quotes", {"project": "demo", "name": "quoted", "offering": "postgresql"})
    assert float(quote["after"]["hourly"]) > 0
    assert quote["expires_at"]


def test_order_connect_back_up_damage_restore_delete_undelete(api: Api) -> None:
    service = order(api, "http-journey")
    found = api.ok("GET", f"/api/v1/services/{service}")
    assert (found["state"], found["health"], found["version"]) == ("running", "healthy", "17")
    with connect(api, service) as connection:
        assert connection.pgconn.ssl_in_use
        connection.execute("create table words (id int primary key, word text)")
        connection.execute("insert into words select n, md5(n::text) from generate_series(1, 1000) n")
    before = rows(api, service)

    backup = api.finished(api.ok("POST", f"/api/v1/services/{service}/backups", {}))
    backups = api.ok("GET", f"/api/v1/services/{service}/backups")["items"]
    assert backups[0]["state"] in ("ready", "succeeded"), backup
    with connect(api, service) as connection:
        connection.execute("drop table words")

    body = {"backup": backups[0]["id"], "target": {"name": "http-restored"}}
    restored = str(api.finished(api.ok("POST", f"/api/v1/services/{service}/restore", body))["service"])
    assert restored != service
    assert rows(api, restored) == before

    api.finished(api.ok("DELETE", f"/api/v1/services/{service}?deletion_policy=bin"))
    assert api.ok("GET", f"/api/v1/services/{service}")["state"] == "deleted"
    names = [item["name"] for item in api.ok("GET", "/api/v1/services?limit=200")["items"]]
    assert "http-journey" not in names
    wipe(api, restored)
    assert api.ok("GET", f"/api/v1/services/{restored}")["state"] == "purged"

    api.finished(api.ok("POST", f"/api/v1/services/{service}/undelete", {}))
    with connect(api, service) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    wipe(api, service)


def test_parts_rotation_stop_start_resize_upgrade(api: Api) -> None:
    service = order(api, "http-parts", version="16.13", plan="dev-2")
    path = f"/api/v1/services/{service}"
    api.finished(api.ok("POST", f"{path}/databases", {"name": "shop"}))
    api.finished(api.ok("POST", f"{path}/users", {"name": "report", "spec": {"access": "read"}}))
    with connect(api, service, "shop") as connection:
        connection.execute("create table words (id int primary key, word text)")
        connection.execute("insert into words values (1, 'one')")

    main = api.ok("GET", f"{path}/credentials")["items"][0]
    successor = api.finished(api.ok("POST", f"{path}/credentials/{main['id']}/rotate", {}))
    assert successor["state"] == "succeeded"
    assert len(api.ok("GET", f"{path}/credentials")["items"]) == 3
    api.finished(api.ok("POST", f"{path}/credentials/{main['id']}/complete", {}))

    for verb, body, state in (
        ("stop", {}, "stopped"),
        ("start", {}, "running"),
        ("restart", {}, "running"),
        ("resize", {"plan": "standard-4"}, "running"),
        ("upgrade", {"version": "16.14"}, "running"),
    ):
        api.finished(api.ok("POST", f"{path}/{verb}", body))
        assert api.ok("GET", path)["state"] == state
    with connect(api, service, "shop") as connection:
        assert connection.execute("select word from words").fetchall() == [("one",)]
        assert connection.info.server_version == 160014
    assert api.ok("GET", f"{path}/logs?limit=10")["items"]
    assert api.ok("GET", f"{path}/events")["items"]
    eventually(lambda: api.ok("GET", f"{path}/metrics")["items"], within=60, what="a first sample")
    wipe(api, service)


def test_the_order_command_prints_a_uri_that_works_as_it_stands(instance: Instance, api: Api) -> None:
    uri = instance.manage("order", "postgresql", "by-shell", "--plan", "free", "--wait").strip().splitlines()[-1]
    with psycopg.connect(uri) as connection:
        assert connection.execute("select current_setting('is_superuser')").fetchone() == ("off",)
    items = api.ok("GET", "/api/v1/services?limit=200")["items"]
    wipe(api, next(item["id"] for item in items if item["name"] == "by-shell"))


def test_nothing_is_left_of_a_wiped_service(instance: Instance, api: Api) -> None:
    wipe(api, order(api, "http-traces"))
    left = [path.name for path in (instance.data / "services").iterdir() if not path.name.startswith(".")]
    assert left == []
