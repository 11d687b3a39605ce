"""What a new PostgreSQL on Kubernetes begins with, tried on real engines: what a login makes belongs to all owners."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.databases.offerings.postgresql.kubernetes import first
from portal.clusters.backends.local.packages import ensure

pytestmark = pytest.mark.engine
RELEASES = ("14.23", "15.18", "16.14", "17.10", "18.4")
MADE = """
CREATE SCHEMA app;
CREATE TABLE app.orders (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, "Quoted name" text);
CREATE TABLE app."Odd ""name" AS SELECT 1 AS one;
SELECT 1 AS one INTO app.selected;
CREATE VIEW app.shown AS SELECT * FROM app.orders;
CREATE MATERIALIZED VIEW app.kept AS SELECT 1 AS one;
CREATE SEQUENCE app.numbers;
CREATE TYPE app.mood AS ENUM ('well', 'ill');
CREATE TYPE app.pair AS (a int, b int);
CREATE DOMAIN app.positive AS int CHECK (value > 0);
CREATE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE PROCEDURE app.nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE app.total(int) (sfunc = int4pl, stype = int);
CREATE COLLATION app.plain FROM "C";
CREATE TEXT SEARCH CONFIGURATION app.words (COPY = pg_catalog.simple);
CREATE TEXT SEARCH DICTIONARY app.stems (TEMPLATE = pg_catalog.simple);
CREATE TEMPORARY TABLE mine (id serial);
CREATE TABLE app.parts (id int) PARTITION BY RANGE (id);
CREATE TABLE app.part PARTITION OF app.parts FOR VALUES FROM (0) TO (9);
"""
NOT_HANDED_OVER = """
SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE nspname = 'app' AND relowner::regrole::text <> 'owner'
UNION ALL SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
  WHERE nspname = 'app' AND proowner::regrole::text <> 'owner'
UNION ALL SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
  WHERE nspname = 'app' AND typowner::regrole::text <> 'owner'
UNION ALL SELECT collname FROM pg_collation c JOIN pg_namespace n ON n.oid = collnamespace
  WHERE nspname = 'app' AND collowner::regrole::text <> 'owner'
UNION ALL SELECT cfgname FROM pg_ts_config c JOIN pg_namespace n ON n.oid = cfgnamespace
  WHERE nspname = 'app' AND cfgowner::regrole::text <> 'owner'
UNION ALL SELECT dictname FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = dictnamespace
  WHERE nspname = 'app' AND dictowner::regrole::text <> 'owner'
"""


class Engine:
    """A bare PostgreSQL on a socket, set up as CloudNativePG sets one up."""

    def __init__(self, server: Path, directory: Path) -> None:
        self.server, self.data, self.socket = server, directory / "data", directory

    def begin(self, release: str) -> None:
        self._run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8")
        options = f"-c listen_addresses= -c unix_socket_directories={self.socket} -c fsync=off"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "-o", options, "start")
        made = first.initdb(release)
        self.query(f'CREATE ROLE "{made["owner"]}" LOGIN')
        for statement in made["postInitTemplateSQL"]:
            self.query(statement, database="template1")
        self.query(f'CREATE DATABASE "{made["database"]}" OWNER "{made["owner"]}"')

    def end(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")

    def query(self, sql: str, *, user: str = "postgres", database: str = "postgres") -> list[Any]:
        with psycopg.connect(host=str(self.socket), user=user, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *argv: object) -> None:
        subprocess.run([self.server / "bin" / program, *map(str, argv)], check=True, capture_output=True, timeout=60)


@pytest.fixture(params=RELEASES)
def engine(request: pytest.FixtureRequest, packages: Path, tmp_path: Path) -> Iterator[Engine]:
    key = f"postgresql-{request.param}"
    ensure(key, prefix=packages)
    found = Engine(packages / key, tmp_path)
    found.begin(request.param)
    yield found
    found.end()


def test_what_one_owner_makes_another_may_change_and_nothing_else_changes_hands(engine: Engine) -> None:
    for name, groups in (("admin", "owner"), ("admin-2", "owner"), ("report", "pg_read_all_data")):
        engine.query(f'CREATE ROLE "{name}" LOGIN; GRANT {groups} TO "{name}"')
    engine.query("CREATE DATABASE shop OWNER owner")
    for database in ("defaultdb", "shop"):
        for statement in filter(str.strip, MADE.split(";\n")):
            engine.query(statement, user="admin", database=database)
        assert engine.query(NOT_HANDED_OVER, database=database) == []
        engine.query(
            "ALTER TABLE app.orders ADD COLUMN more int; DROP TABLE app.part", user="admin-2", database=database
        )
        engine.query("INSERT INTO app.orders (more) VALUES (1)", user="admin", database=database)
        assert engine.query("SELECT more FROM app.orders", user="report", database=database) == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            engine.query("CREATE TABLE public.t (i int)", user="report", database=database)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            engine.query(
                "CREATE OR REPLACE FUNCTION platform.hand_over() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
                user="admin",
                database=database,
            )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            engine.query("DROP EVENT TRIGGER hand_over", user="admin", database=database)


def test_a_login_that_was_exchanged_leaves_nothing_that_keeps_it(engine: Engine) -> None:
    engine.query("CREATE ROLE admin LOGIN; GRANT owner TO admin")
    engine.query("CREATE TABLE made (i int)", user="admin", database="defaultdb")
    engine.query("DROP ROLE admin")
    owners = engine.query("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'made'", database="defaultdb")
    assert owners == [("owner",)]
