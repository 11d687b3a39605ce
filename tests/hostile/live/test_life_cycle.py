"""Texts that mean something to a shell, SQL or a configuration go through a real service's whole life as they are."""

import os
from pathlib import Path

import pytest

from tests.hostile.live.conftest import Customer
from tests.hostile.values import CANARY, TEXTS

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
LINE = (
    "'; touch canary-of-a-shell; $(touch canary-of-a-shell) `touch canary-of-a-shell` {{secret:superuser.password}} %s"
)
NAMES = ("select", "drop-table", "a--b", "x-u-x", "null", "touch", "true")  # all that a name may be
SENT = {word: text for word, text in TEXTS.items() if "\0" not in text and "\ud800" not in text}


def test_hostile_texts_stay_texts_from_the_order_to_the_last_byte(customer: Customer) -> None:
    networks = [{"cidr": "127.0.0.0/8", "description": LINE}]
    tags = {"team": "a.b-c_d", "TRUE": "--help".strip("-")}
    order = {"description": LINE, "tags": tags, "ip_allow_list": networks}
    service = customer.order("select", **order)
    customer.until(service, lambda shown: shown["state"] == "running", "it runs")
    refuses_what_is_no_name(customer, service)
    for name in NAMES:
        customer.finished(customer.ok("post", f"/services/{service}/databases", {"name": name}))
        customer.finished(
            customer.ok("post", f"/services/{service}/users", {"name": name, "spec": {"access": "write"}})
        )
    fill(customer, service)
    customer.finished(customer.ok("post", f"/services/{service}/backups"))
    backup = customer.ok("get", f"/services/{service}/backups")["items"][0]["id"]
    target = {"backup": backup, "target": {"name": "drop-table"}}
    restored = customer.finished(customer.ok("post", f"/services/{service}/restore", target))["service"]
    for place in (service, restored):
        shown = customer.ok("get", f"/services/{place}")
        assert (shown["tags"], shown["ip_allow_list"]) == (tags, networks)
        assert read(customer, place) == SENT
        for name in NAMES:
            with customer.connection(place, name, name) as connection:
                found = connection.execute("SELECT session_user::text, current_database()::text").fetchone()
            assert found == (name, name)
    assert customer.ok("get", f"/services/{service}")["description"] == LINE
    for place in (service, restored):
        customer.finished(customer.ok("delete", f"/services/{place}?deletion_policy=wipe"))
    assert not list((customer.room.data / "services").glob("[a-z]*"))
    assert canaries(customer) == []


def refuses_what_is_no_name(customer: Customer, service: str) -> None:
    """See each hostile text refused as a name, by its field, with nothing made."""
    for kind in ("databases", "users"):
        before = customer.ok("get", f"/services/{service}/{kind}")["total_count"]
        for word, text in TEXTS.items():
            if word in ("half a pair", "word null", "word true"):
                continue
            answer = customer.call("post", f"/services/{service}/{kind}", {"name": text})
            assert (word, answer.status_code) == (word, 422)
            assert answer.json()["errors"][0]["pointer"] == "/name"
        assert customer.ok("get", f"/services/{service}/{kind}")["total_count"] == before


def fill(customer: Customer, service: str) -> None:
    with customer.connection(service) as connection:
        connection.execute("CREATE TABLE texts (word text PRIMARY KEY, content text)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO texts VALUES (%s, %s)", list(SENT.items()))


def read(customer: Customer, service: str) -> dict[str, str]:
    with customer.connection(service) as connection:
        return dict(connection.execute("SELECT word, content FROM texts").fetchall())


def canaries(customer: Customer) -> list[Path]:
    """Return every file that a shell would have made, wherever it would have stood."""
    places = [customer.room.data, Path.cwd(), Path.home(), customer.room.packages]
    # Other tests make and remove folders there meanwhile, which os.walk passes over.
    walked = (found for place in places for found in os.walk(place) if ".venv" not in Path(found[0]).parts)
    return [Path(at, name) for at, folders, files in walked for name in (*folders, *files) if name.startswith(CANARY)]
