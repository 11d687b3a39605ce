"""The encoders and scripts: what a customer called a thing never becomes a command."""

import re

import pytest

from apps.databases.offerings.postgresql import sql
from apps.databases.offerings.postgresql.spec import DatabaseSpec, UserSpec
from portal.clusters.backends.local.render import Values

HOSTILE = (
    'x"; DROP ROLE owner; --',
    "x'; DROP ROLE owner; --",
    "o'brien\\",
    "\\! touch /tmp/owned",
    ":'PGPASSWORD'",
    "two\nlines \\q",
    "{{secret:superuser.password}}",
    "{{{{lb}}secret:superuser.password}}",
    "ünïcödé",
    "$$; DROP ROLE owner; $$",
)


def filled(text: str) -> str:
    """Fill a script as the backend does."""
    secrets = {"superuser": {"password": "CANARY"}, "user-1": {"password": "pass1234"}}
    return Values(places={}, secrets=secrets).text(text)


def unquoted(script: str) -> str:
    """Take all string constants and quoted identifiers out of a script, by PostgreSQL's own rules."""
    return re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "?", script)


@pytest.mark.parametrize("name", HOSTILE)
def test_an_identifier_is_one_quoted_word_and_reads_back_as_the_name(name: str) -> None:
    encoded = filled(sql.identifier(name))
    assert unquoted(encoded) == "?"
    assert encoded[1:-1].replace('""', '"') == name
    assert filled(sql.string(name))[1:-1].replace("''", "'") == name


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_changes_the_commands_of_a_script(name: str) -> None:
    scripts = {
        "user": lambda n: sql.ensure_user(n, UserSpec(), "{{secret:user-1.password}}"),
        "no user": lambda n: sql.drop_user(n, ()),
        "database": lambda n: sql.ensure_database(n, DatabaseSpec()),
        "no database": sql.drop_database,
        "bootstrap": lambda n: sql.bootstrap([n]),
    }
    for script in scripts.values():
        text = filled(script(name))
        assert unquoted(text) == unquoted(filled(script("plain")))
        assert "CANARY" not in text


def test_a_name_that_postgresql_would_cut_or_that_holds_nul_is_refused() -> None:
    assert sql.identifier("x" * 63) == f'"{"x" * 63}"'
    for name in ("x" * 64, "ü" * 32, "", "a\0b"):
        with pytest.raises(ValueError, match="name"):
            sql.identifier(name)
    with pytest.raises(ValueError, match="NUL"):
        sql.string("a\0b")


def test_going_on_in_another_database_takes_no_connection_string_from_its_name() -> None:
    assert sql.connect("shop") == "\\connect -reuse-previous=on \"dbname='shop'\"\n"
    assert "dbname='a=b host=evil'" in sql.connect("a=b host=evil")
    assert "dbname='o\\'brien\\\\'" in sql.connect("o'brien\\")
    assert "dbname='a\"\"b'" in sql.connect('a"b')
    for name in ("a\nb", "a\rb"):
        with pytest.raises(ValueError, match="line break"):
            sql.connect(name)


def test_a_login_gets_one_group_and_no_power() -> None:
    owner = sql.ensure_user("app", UserSpec(access="owner"), "{{secret:user-1.password}}")
    reader = sql.ensure_user("app", UserSpec(access="read", connection_limit=3), "{{secret:user-1.password}}")
    assert 'GRANT owner TO "app"' in owner
    assert "SET role = 'owner'" in owner
    assert "g.rolname IN ('reader', 'writer')" in owner
    assert "g.rolname IN ('owner', 'writer')" in reader
    assert "RESET role" in reader
    assert "CONNECTION LIMIT 3" in reader
    for script in (owner, reader):
        assert "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS" in script
        assert script.count("{{secret:") == 1


def test_a_password_stands_in_no_log_and_no_statistics() -> None:
    for item in ("log_statement=none", "log_min_duration_statement=-1", "log_min_error_statement=panic"):
        assert f"-c {item}" in sql.ENV["PGOPTIONS"]
    assert "-c track_activities=off" in sql.ENV["PGOPTIONS"]
    assert "-c pg_stat_statements.track=none" in sql.ENV["PGOPTIONS"]
    assert not any("{{secret:" in word for word in sql.PSQL)


def test_extensions_are_made_with_no_more_rights_than_they_need() -> None:
    script = sql.ensure_database("shop", DatabaseSpec(extensions=("pg_stat_statements", "citext")))
    assert 'SET ROLE owner;\nCREATE EXTENSION IF NOT EXISTS "citext"' in script
    assert 'SET ROLE NONE;\nCREATE EXTENSION IF NOT EXISTS "pg_stat_statements"' in script
    assert "CREATE EXTENSION" not in sql.ensure_database("shop", DatabaseSpec())
