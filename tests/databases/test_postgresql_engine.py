"""PostgreSQL 14 to 18 as ordered: real engines under a real supervisor, real clients over verified TLS."""

import dataclasses
import os
import signal
from collections.abc import Callable

import psycopg
import pytest

from apps.databases.offerings.postgresql import OFFERING
from apps.databases.offerings.postgresql.spec import EXTENSIONS, TIME_ZONES, TRUSTED_EXTENSIONS
from tests.databases.conftest import Service, is_true

pytestmark = pytest.mark.engine
RELEASES = ("14.23", "15.18", "16.14", "17.10", "18.4")
OLDER = {"14.23": "14.22", "15.18": "15.17", "16.14": "16.13", "17.10": "17.9", "18.4": "18.3"}
BACKENDS_OWN = {"cpu", "memory", "disk", "processes", "cpu_percent", "memory_bytes", "disk_bytes"}
Order = Callable[..., Service]
FORBIDDEN = (
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY pg_temp.t FROM PROGRAM 'ls /'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE EXTENSION file_fdw",
    "CREATE EXTENSION adminpack",
    "CREATE LANGUAGE plpython3u",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y'",
    "CREATE ROLE other SUPERUSER",
    "CREATE ROLE other",
    "CREATE DATABASE other",
    "ALTER ROLE owner SUPERUSER",
    "ALTER ROLE postgres PASSWORD 'x'",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "GRANT pg_execute_server_program TO owner",
    "GRANT pg_read_all_settings TO owner",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "SELECT pg_reload_conf()",
    "SELECT rolpassword FROM pg_authid",
    "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p",
    "SELECT pg_create_physical_replication_slot('s')",
    "CREATE TABLESPACE t LOCATION '/tmp'",
    "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
)


@pytest.mark.parametrize("release", RELEASES)
def test_a_service_lives_through_what_its_owner_does(ordered: Order, release: str) -> None:
    service = ordered(release)
    _answers_over_verified_tls_only(service, release)
    _keeps_tenants_in_their_place(service)
    _gives_each_access_what_it_says(service)
    _rotates_without_a_gap(service)
    _keeps_what_a_deleted_user_owned(service)
    _survives_stop_start_and_kill(service)
    _takes_up_settings(service)


def _answers_over_verified_tls_only(service: Service, release: str) -> None:
    assert service.query("SHOW server_version")[0][0] == release
    assert service.query("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(True, "TLSv1.3")]
    assert service.query("SHOW data_checksums") == [("on",)]
    known = {name for (name,) in service.query("SELECT name FROM pg_timezone_names")}
    assert set(TIME_ZONES) <= known
    versions = service.query("SELECT name, bool_or(trusted) FROM pg_available_extension_versions GROUP BY name")
    assert set(EXTENSIONS) <= {name for name, _ in versions}
    assert set(TRUSTED_EXTENSIONS) <= {name for name, trusted in versions if trusted}
    with pytest.raises(psycopg.OperationalError, match="no encryption"), service.connected(sslmode="disable"):
        pass
    with (
        pytest.raises(psycopg.OperationalError, match="certificate verify failed"),
        service.connected(sslrootcert="system"),
    ):
        pass
    with (
        pytest.raises(psycopg.OperationalError, match="password authentication failed"),
        service.connected(password="wrong"),
    ):
        pass


def _keeps_tenants_in_their_place(service: Service) -> None:
    service.query("CREATE TABLE orders (id int PRIMARY KEY, note text)")
    for forbidden in FORBIDDEN:
        assert service.refused(forbidden), forbidden
    for database in ("postgres", "template1"):
        assert "rejects" in service.refused("SELECT 1", database=database)
    with pytest.raises(psycopg.OperationalError), service.connected(options="-c role=postgres"):
        pass
    flags = "SELECT bool_or(rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)"
    assert service.query(f"{flags} FROM pg_roles WHERE rolname NOT IN ('postgres') AND rolname !~ '^pg_'") == [(False,)]
    assert (
        service.query("SELECT query FROM pg_stat_activity WHERE usename = 'postgres' AND query ILIKE '%password%'")
        == []
    )


def _gives_each_access_what_it_says(service: Service) -> None:
    service.add("databases", "shop", extensions=("citext", "pg_stat_statements", "pgcrypto", "bloom"))
    service.add("users", "app", access="write", connection_limit=3)
    service.add("users", "report", access="read")
    service.query("CREATE SCHEMA s; CREATE TABLE s.items (id serial PRIMARY KEY, name citext)", database="shop")
    service.query("INSERT INTO s.items (name) VALUES ('pen'), ('INK')", "app", "shop")
    assert service.query("SELECT name FROM s.items WHERE name = 'ink'", "report", "shop") == [("INK",)]
    assert "permission denied" in service.refused("INSERT INTO s.items (name) VALUES ('x')", "report", "shop")
    assert "must be owner" in service.refused("DROP SCHEMA s CASCADE", "app", "shop")
    assert "must be owner" in service.refused("DROP TABLE s.items", "app", "shop")
    assert "permission denied" in service.refused("CREATE TABLE public.mine (id int)", "app", "shop")
    assert service.query("SELECT tableowner FROM pg_tables WHERE tablename = 'items'", database="shop") == [("owner",)]
    assert service.query("SELECT count(*) > 0 FROM pg_stat_statements", database="shop") == [(True,)]
    service.alter(service.child("users", "app"), spec=service.child("users", "report").spec)
    assert "permission denied" in service.refused("INSERT INTO s.items (name) VALUES ('x')", "app", "shop")


def _rotates_without_a_gap(service: Service) -> None:
    admin = service.child("users", "admin")
    service.add("users", "admin-2", predecessor=str(admin.id))
    service.query("CREATE TABLE by_successor (id int)", "admin-2")
    service.query("ALTER TABLE by_successor ADD COLUMN by_old int", "admin")
    before = service.uri("admin-2")
    row = service.child("users", "admin-2")
    service.alter(row, spec=row.spec.model_copy(update={"rotation": 1, "predecessor": None}))
    assert service.uri("admin-2") != before
    assert service.query("SELECT 1", "admin-2") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(before, sslrootcert=str(service.ca))


def _keeps_what_a_deleted_user_owned(service: Service) -> None:
    service.query("CREATE TABLE kept AS SELECT 42 AS n", "admin-2", "shop")
    service.query('GRANT CREATE ON SCHEMA public TO "admin-2"', database="shop")
    service.query("SET ROLE NONE; CREATE TABLE her_own AS SELECT 43 AS n", "admin-2", "shop")
    with service.connected("admin-2") as lingering:
        service.delete(service.child("users", "admin-2"))
        with pytest.raises(psycopg.OperationalError):
            lingering.execute("SELECT 1")
    assert service.query("SELECT n FROM kept UNION SELECT n FROM her_own ORDER BY n", database="shop") == [(42,), (43,)]
    assert service.query("SELECT count(*) FROM pg_roles WHERE rolname = 'admin-2'") == [(0,)]
    service.delete(service.child("databases", "shop"))
    assert service.query("SELECT count(*) FROM pg_database WHERE datname = 'shop'") == [(0,)]


def _survives_stop_start_and_kill(service: Service) -> None:
    service.query("INSERT INTO orders VALUES (1, 'first')")
    port = service.port
    stopped = service.change(running=False)
    assert stopped.observation is not None
    assert is_true(stopped.observation, "Stopped")
    with pytest.raises(psycopg.OperationalError):
        service.query("SELECT 1")
    service.change(running=True)
    assert service.query("SELECT note FROM orders") == [("first",)]
    assert service.port == port
    began = service.query("SELECT pg_postmaster_start_time()")
    service.change(restarts=1)
    assert service.query("SELECT pg_postmaster_start_time()") != began
    open_work = psycopg.connect(service.uri(), sslrootcert=str(service.ca))
    open_work.execute("INSERT INTO orders VALUES (2, 'open')")
    service.query("INSERT INTO orders VALUES (3, 'committed')")
    os.kill(service.room.pid(service.view.handle), signal.SIGKILL)
    service.until(lambda: service.state().crashes == 1 and service.state().ready, "another engine answers")
    open_work.close()
    assert service.query("SELECT id FROM orders ORDER BY id") == [(1,), (3,)]


def _takes_up_settings(service: Service) -> None:
    began = service.query("SELECT pg_postmaster_start_time()")
    spec = service.view.spec.model_copy(update={"statement_timeout_ms": 1234, "timezone": "Europe/Berlin"})
    service.change(spec=spec)
    service.room.eventually(lambda: service.query("SHOW statement_timeout") == [("1234ms",)], "a reload is taken up")
    assert service.query("SHOW timezone") == [("Europe/Berlin",)]
    assert service.query("SELECT pg_postmaster_start_time()") == began
    service.change(spec=spec.model_copy(update={"max_connections": 42}))
    assert service.query("SHOW max_connections") == [("47",)]


@pytest.mark.parametrize("release", RELEASES)
def test_a_backup_comes_back_with_every_row_and_none_of_the_old_passwords(ordered: Order, release: str) -> None:
    service = ordered(OLDER[release])
    service.add("users", "app", access="write")
    service.query("CREATE TABLE orders AS SELECT n, md5(n::text) AS note FROM generate_series(1, 5000) n")
    total = service.query("SELECT sum(hashtext(note)) FROM orders")
    service.change(release=release)
    assert service.query("SHOW server_version") == [(release,)]
    assert service.query("SELECT sum(hashtext(note)) FROM orders") == total
    backup = service.add("backups", "backup-1")
    assert backup.state == "succeeded", service.observation
    assert (service.home.artifacts / str(backup.facts["artifact"])).stat().st_size == backup.facts["bytes"] > 1_000_000
    service.query("DELETE FROM orders")
    service.add("users", "later")

    copy = service.restored(backup, "pgrestored00")
    copy.view = dataclasses.replace(
        copy.view, children=tuple(row for row in copy.view.children if row.name not in ("later", "app"))
    )
    copy.settle()
    assert copy.query("SELECT sum(hashtext(note)) FROM orders") == total
    assert service.query("SELECT count(*) FROM orders") == [(0,)]
    assert copy.query("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'app'") == [(False,)]
    old = service.uri("admin").replace(str(service.port), str(copy.port))
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(old, sslrootcert=str(copy.ca))

    service.restore_in_place(backup)
    assert service.query("SELECT sum(hashtext(note)) FROM orders") == total
    assert service.query("SELECT 1", "app") == [(1,)]
    assert service.query("SELECT 1", "later") == [(1,)]
    service.room.eventually(lambda: not (service.home.root / "data").exists(), "the replaced data is removed")
    service.delete(service.child("backups", "backup-1"))
    service.room.eventually(lambda: not list(service.home.artifacts.iterdir()), "the backup's files are removed")


@pytest.mark.parametrize("release", [RELEASES[0], RELEASES[-1]])
def test_only_the_allowed_networks_get_in_and_a_change_of_them_restarts_nothing(ordered: Order, release: str) -> None:
    service = ordered(release)
    began = service.query("SELECT pg_postmaster_start_time()")
    service.change(allow_list=("192.0.2.0/24", "2001:db8::/32"))
    service.until(lambda: "rejects connection" in service.refused("SELECT 1"), "loopback is kept out")
    service.add("users", "app")
    assert "rejects connection" in service.refused("SELECT 1", "app")
    service.change(allow_list=("192.0.2.0/24", "127.0.0.0/8"))
    service.room.eventually(lambda: _is_let_in(service), "loopback is let in")
    assert service.query("SELECT 1", "app") == [(1,)]
    assert service.query("SELECT pg_postmaster_start_time()") == began


def _is_let_in(service: Service) -> bool:
    try:
        return service.query("SELECT 1") == [(1,)]
    except psycopg.OperationalError:
        return False


def test_a_damaged_backup_leaves_the_service_as_it_was(ordered: Order) -> None:
    service = ordered("17.10")
    service.query("CREATE TABLE orders AS SELECT 1 AS n")
    backup = service.add("backups", "backup-1")
    path = service.home.artifacts / str(backup.facts["artifact"])
    path.write_bytes(path.read_bytes()[:100_000])
    seen = []
    settle, service.settle = service.settle, lambda: service  # type: ignore[method-assign]
    service.restore_in_place(backup)
    service.until(lambda: seen.append(service.observation) or service.view.facts.get("restore_failed"), "it failed")
    assert any(is_true(observation, "RestoreFailed") for observation in seen if observation)
    settle()
    assert service.query("SELECT n FROM orders") == [(1,)]
    assert service.observation is not None
    assert is_true(service.observation, "RestoreFailed")


def test_names_that_look_like_commands_stay_names(ordered: Order) -> None:
    service = ordered("17.10")
    hostile = (
        'x"; DROP ROLE owner; --',
        "o'brien\\",
        "a\\! id",
        ":'PGPASSWORD'",
        "ünï {{secret:superuser.password}}",
        "dbname=postgres",
    )
    for name in hostile:
        service.add("databases", name, extensions=("hstore",))
        service.add("users", name)
    assert {name for (name,) in service.query("SELECT datname FROM pg_database")} >= set(hostile)
    for name in hostile:
        assert service.child("users", name).state == "ready"
        service.delete(service.child("users", name))
        service.delete(service.child("databases", name))
    assert {name for (name,) in service.query("SELECT datname FROM pg_database")}.isdisjoint(hostile)


def test_an_owner_who_locks_the_platform_out_of_a_database_does_not(ordered: Order) -> None:
    service = ordered("16.14")
    shop = service.add("databases", "shop")
    service.add("users", "app")
    for trap in (
        "ALTER DATABASE shop SET default_transaction_read_only = on",
        "ALTER DATABASE shop SET search_path = public",
        "ALTER DATABASE shop SET standard_conforming_strings = off",
        "ALTER DATABASE shop SET statement_timeout = 1",
        "ALTER DATABASE shop IS_TEMPLATE true",
    ):
        service.query(trap)
    service.alter(shop, spec=shop.spec.model_copy(update={"extensions": ("citext",)}))
    assert service.child("databases", "shop").state == "ready"
    service.query("ALTER DATABASE shop ALLOW_CONNECTIONS false")
    service.delete(service.child("users", "app"))
    service.delete(service.child("databases", "shop"))
    assert service.query("SELECT count(*) FROM pg_database WHERE datname = 'shop'") == [(0,)]


def test_a_refused_extension_says_why_and_holds_nothing_else_up(ordered: Order) -> None:
    service = ordered("17.10")
    shop = service.add("databases", "shop")
    service.query("DROP SCHEMA public", database="shop")
    service.alter(shop, spec=shop.spec.model_copy(update={"extensions": ("citext",)}))
    assert service.observation is not None
    seen = service.observation.children[shop.id]
    assert (seen.state, seen.message) == ("failed", 'schema "public" does not exist')
    service.query("CREATE SCHEMA public", database="shop")
    service.until(lambda: service.child("databases", "shop").state == "ready", "the retry works")


@pytest.mark.parametrize("release", [RELEASES[0], RELEASES[-1]])
def test_the_engine_tells_its_own_numbers(ordered: Order, release: str) -> None:
    service = ordered(release)
    with service.connected():
        service.room.eventually(lambda: "commits_total" in service.sample(), "a sample is there", 40)
    drawn = {source for metric in OFFERING.metrics for source, _label in metric.sources}
    told = set(service.sample())
    assert told - {"temp_bytes_total"} - BACKENDS_OWN <= drawn
    assert drawn - BACKENDS_OWN <= told
    service.room.eventually(lambda: 0 < service.sample()["cache_hit_percent"] <= 100, "pages came from memory", 40)


@pytest.mark.parametrize("release", ["14.23", "17.10"])
def test_services_out_of_the_stock_have_an_identity_and_a_password_of_their_own(ordered: Order, release: str) -> None:
    first = ordered(release)
    shelf = first.room.data / "stock"
    first.room.eventually(lambda: len(list(shelf.glob("*/ready-*"))) >= 2, "two lie in stock", 60)
    for access in shelf.glob("*/ready-*/root/data/pg_hba.conf"):
        methods = {line.split()[-1] for line in access.read_text().splitlines() if line and not line.startswith("#")}
        assert methods == {"reject"}
    lying = {path.name for path in shelf.glob("*/ready-*")}
    services = [first, ordered(release), ordered(release)]
    assert len(lying - {path.name for path in shelf.glob("*/ready-*")}) == 2
    assert len({_identifier(service) for service in services}) == 3
    assert len({service.home.secrets()["superuser"]["password"] for service in services}) == 3
    for service in services:
        assert service.query("SELECT count(*) FROM pg_database WHERE datname = 'defaultdb'") == [(1,)]
        assert service.refused("CREATE ROLE other")
    assert _schema_owner(services[1]) == _schema_owner(first) == "pg_database_owner"


def _identifier(service: Service) -> int:
    return int(service.query("SELECT system_identifier FROM pg_control_system()")[0][0])


def _schema_owner(service: Service) -> str:
    owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'"
    return str(service.query(owner)[0][0])
