"""What a script over HTTP finds at a PostgreSQL alone, and the shell's way; the rest is in the whole life's file."""

import tempfile
import uuid
from typing import Any

import psycopg
import pytest

from tests.journeys.instance import Api, Instance

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


def test_a_database_of_ones_own_outlives_a_change_of_release(api: Api) -> None:
    service = order(api, "http-parts", version="16.13")
    path = f"/api/v1/services/{service}"
    api.finished(api.ok("POST", f"{path}/databases", {"name": "shop"}))
    with connect(api, service, "shop") as connection:
        connection.execute("create table words (id int primary key, word text)")
        connection.execute("insert into words values (1, 'one')")
    api.finished(api.ok("POST", f"{path}/upgrade", {"version": "16.14"}))
    with connect(api, service, "shop") as connection:
        assert connection.execute("select word from words").fetchall() == [("one",)]
    wipe(api, service)


def test_the_order_command_prints_a_uri_that_works_as_it_stands(instance: Instance, api: Api) -> None:
    words = ("order", "postgresql", "by-shell", "--plan", "free", "--wait")
    uri = instance.manage(*words, within=600).strip().splitlines()[-1]
    assert uri.endswith(f"sslrootcert={instance.data}/public/ca.pem")
    with psycopg.connect(uri) as connection:
        assert connection.execute("select current_setting('is_superuser')").fetchone() == ("off",)
    items = api.ok("GET", "/api/v1/services?limit=200")["items"]
    wipe(api, next(item["id"] for item in items if item["name"] == "by-shell"))
