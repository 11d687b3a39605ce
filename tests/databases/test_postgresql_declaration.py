"""The declaration: versions, plans, settings and names as the product says."""

import datetime
import re

import pytest

from apps.databases.offerings.postgresql import OFFERING
from apps.databases.offerings.postgresql.children import DATABASES, USERS
from apps.databases.offerings.postgresql.spec import EXTENSIONS, DatabaseSpec, PostgresqlSpec, UserSpec
from portal.core import specs


def test_five_lines_are_sold_and_17_is_what_one_gets_unasked() -> None:
    assert [version.line for version in OFFERING.versions] == ["18", "17", "16", "15", "14"]
    assert OFFERING.version("17") == (OFFERING.default_version, "17.10")
    assert OFFERING.version("17.9") == (OFFERING.default_version, "17.9")
    today = datetime.date(2026, 11, 25)
    assert [version.line for version in OFFERING.versions if version.ended(today)] == ["14"]


def test_single_nodes_are_sold_here_and_clusters_on_kubernetes_alone() -> None:
    where = {plan.slug: plan.backends for plan in OFFERING.plans}
    assert list(where) == ["free", "dev-2", "standard-4", "standard-8", "ha-8", "premium-16"]
    assert all("local" in where[plan.slug] for plan in OFFERING.plans if plan.nodes == 1)
    assert all(where[plan.slug] == ("kubernetes",) for plan in OFFERING.plans if plan.nodes > 1)
    for plan in OFFERING.plans:
        gib = plan.slug.rpartition("-")[2]
        assert not gib.isdigit() or plan.memory_mib == int(gib) * 1024
    assert OFFERING.default_plan.slug == "dev-2"


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        (PostgresqlSpec, {"disk_gib": 0}),
        (PostgresqlSpec, {"max_connections": 5000}),
        (PostgresqlSpec, {"statement_timeout_ms": -1}),
        (PostgresqlSpec, {"timezone": "Europe/Berlin'\nfsync = off"}),
        (PostgresqlSpec, {"log_statement": "all"}),
        (PostgresqlSpec, {"fsync": False}),
        (DatabaseSpec, {"extensions": ["dblink"]}),
        (DatabaseSpec, {"extensions": ["plpython3u"]}),
        (DatabaseSpec, {"main": True}),
        (UserSpec, {"access": "superuser"}),
        (UserSpec, {"rotation": 3}),
        (UserSpec, {"predecessor": "x"}),
    ],
)
def test_what_is_off_the_list_is_refused_and_the_field_named(spec: type[specs.Spec], values: dict[str, object]) -> None:
    assert specs.validate(spec, {})[0] is not None
    checked, errors = specs.validate(spec, values)
    assert checked is None
    assert errors[0].pointer.startswith(f"/spec/{next(iter(values))}")


def test_extensions_are_kept_in_the_order_asked_and_once() -> None:
    checked, _errors = specs.validate(DatabaseSpec, {"extensions": ["hstore", "citext", "hstore"]})
    assert checked is not None
    assert checked.model_dump(mode="json")["extensions"] == ["hstore", "citext"]
    assert not {"dblink", "postgres_fdw", "file_fdw", "adminpack", "plpython3u", "earthdistance"} & set(EXTENSIONS)


@pytest.mark.parametrize(
    "name", ["pg_monitor", "cnpg_x", "Shop", "a b", 'a"b', "a'b", "-a", "a-", "", "a" * 64, "a\nb"]
)
def test_names_that_need_care_are_not_taken(name: str) -> None:
    for kind in (DATABASES, USERS):
        assert re.fullmatch(kind.name_pattern, "shop-2_x")
        assert not re.fullmatch(kind.name_pattern, name)


def test_the_engines_own_names_are_reserved() -> None:
    assert {"postgres", "owner", "writer", "reader", "public", "none"} <= USERS.reserved_names
    assert {"postgres", "template0", "template1"} <= DATABASES.reserved_names


def test_main_parts_are_protected_and_others_are_not() -> None:
    for kind in (DATABASES, USERS):
        assert kind.protected is not None
        assert kind.protected(kind.spec.model_validate(kind.initial[0][1]))
        assert not kind.protected(kind.spec())
