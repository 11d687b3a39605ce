"""The configuration encoder and what follows from plan and settings."""

import pytest

from apps.databases.offerings.postgresql import OFFERING, config
from apps.databases.offerings.postgresql.spec import PostgresqlSpec
from tests.databases.conftest import view


def test_a_value_is_quoted_and_can_end_neither_its_quotes_nor_its_line() -> None:
    assert config.setting("timezone", "Europe/Berlin") == "timezone = 'Europe/Berlin'\n"
    assert config.setting("a", "o'b\\n") == "a = 'o''b\\\\n'\n"
    assert config.setting("jit", False) == "jit = off\n"
    assert config.setting("max_connections", 30) == "max_connections = 30\n"
    for value in ("a\nb", "a\rb", "a\0b"):
        with pytest.raises(ValueError, match="line break or NUL"):
            config.setting("a", value)


@pytest.mark.parametrize("name", ["a b", "a=1\nb", "A", "", "a'", "a.b.c"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert config.setting("pg_stat_statements.track", "all")
    with pytest.raises(ValueError, match="not the name"):
        config.setting(name, 1)


def test_memory_and_connections_follow_the_plan_and_the_customer() -> None:
    sizes = {plan.slug: config.max_connections(view(plan=plan)) for plan in OFFERING.plans}
    assert sizes == {
        "free": 25, "dev-2": 51, "standard-4": 102, "standard-8": 204, "ha-8": 204, "premium-16": 409,
    }  # fmt: skip
    fixed = _file(view(), "etc/postgresql.conf")
    assert "shared_buffers = '512MB'" in fixed
    assert "max_connections = 56" in fixed
    assert "max_connections = 305" in _file(view(spec=PostgresqlSpec(max_connections=300)), "etc/postgresql.conf")


def test_only_what_needs_it_restarts_the_engine() -> None:
    spec = PostgresqlSpec(statement_timeout_ms=5, timezone="Europe/Paris", log_statement="ddl", work_mem_mib=7)
    assert _file(view(spec=spec), "etc/postgresql.conf") == _file(view(), "etc/postgresql.conf")
    reloadable = _file(view(spec=spec), "etc/reloadable.conf")
    for line in ("statement_timeout = 5", "timezone = 'Europe/Paris'", "log_statement = 'ddl'", "work_mem = '7MB'"):
        assert line in reloadable
    changes = {file.path: file.on_change for file in config.files(view(), read_only=False)}
    assert changes["etc/postgresql.conf"] == "restart"
    assert {changes[path] for path in ("etc/reloadable.conf", "etc/pg_hba.conf")} == {"reload"}


def test_only_logins_from_the_listed_networks_are_let_in_and_the_platforms_socket_is_in_no_list() -> None:
    anywhere = _file(view(), "etc/pg_hba.conf")
    listed = _file(view(allow_list=("192.0.2.0/24", "2001:db8::/32")), "etc/pg_hba.conf")
    assert _scram(anywhere) == [["local", "all,replication", "postgres"], ["hostssl", "all", "all", "all"]]
    assert _scram(listed) == [
        ["local", "all,replication", "postgres"],
        ["hostssl", "all", "all", "192.0.2.0/24"],
        ["hostssl", "all", "all", "2001:db8::/32"],
    ]
    assert listed.splitlines()[-1].split() == ["host", "all,replication", "all", "all", "reject"]
    with pytest.raises(ValueError, match="does not appear to be"):
        config.hba(["all\nhost all all all trust"])


def _scram(hba: str) -> list[list[str]]:
    lines = [line.split() for line in hba.splitlines()]
    return [line[:-1] for line in lines if line[-1] == "scram-sha-256"]


def test_a_full_disk_makes_new_transactions_read_only() -> None:
    full = {file.path: file.content for file in config.files(view(), read_only=True)}
    assert "default_transaction_read_only = on" in full["etc/reloadable.conf"]
    assert "default_transaction_read_only = off" in _file(view(), "etc/reloadable.conf")


def test_a_disk_is_never_smaller_than_the_plans() -> None:
    assert config.disk_gib(view()) == 20
    assert config.disk_gib(view(spec=PostgresqlSpec(disk_gib=5))) == 20
    assert config.disk_gib(view(spec=PostgresqlSpec(disk_gib=50))) == 50
    plan = OFFERING.plan("dev-2")
    assert plan is not None
    assert OFFERING.billed(plan, PostgresqlSpec(disk_gib=5))["storage-gib-seconds"] == 20


def test_lines_from_17_on_take_no_setting_from_sql() -> None:
    assert "allow_alter_system = off" in _file(view("17.10"), "etc/reloadable.conf")
    assert "allow_alter_system" not in _file(view("16.14"), "etc/reloadable.conf")


def _file(of: object, path: str) -> str:
    return {file.path: file.content for file in config.files(of, read_only=False)}[path]  # type: ignore[arg-type]
