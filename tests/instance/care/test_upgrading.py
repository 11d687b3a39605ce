"""The portal's own database comes along to PostgreSQL's next major version, killed at any moment too."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from portal.bootstrap.paths import run_directory
from portal.clusters.backends.local.packages import ensure
from portal.instance import postgres
from portal.instance.care import dumping, upgrading
from portal.instance.failed import Failed
from portal.instance.ownership import make_run_directory
from portal.instance.stores import Stores, embedded
from portal.instance.sweep import sweep

OLD = 16
ROWS = 5000
TABLE = (
    "CREATE EXTENSION pg_trgm; CREATE TABLE words (id bigserial PRIMARY KEY, word text NOT NULL);"
    f" INSERT INTO words (word) SELECT md5(n::text) FROM generate_series(1, {ROWS}) n;"
    " CREATE INDEX by_word ON words USING gin (word gin_trgm_ops)"
)
# Brings the database of $ARCHIPEL_DATA along, and is killed before the named step.
KILLED = """
import os, signal, sys
from pathlib import Path
from portal.instance import postgres
from portal.instance.care import dumping, upgrading
from portal.clusters.backends.local import files
data, place, packages = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
def die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)
if place == "made":
    upgrading._copy = die
if place == "loading":
    dumping.pipe = lambda *_: die()
if place == "loaded":
    dumping.run_sql = die
if place == "written":
    files.sync_tree = die
if place == "renamed":
    files.sync_directory = die
database = postgres.Postgres(data, packages / postgres.PACKAGE, dict(os.environ))
upgrading.bring_database_along(database, data, lambda key: packages / key)
"""
pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def old_cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster of the older major with the portal's role and database, as an older portal would leave it."""
    data = tmp_path_factory.mktemp("old") / "data"
    cluster = data / "postgres" / str(OLD)
    cluster.parent.mkdir(parents=True)
    sockets = make_run_directory(data)
    binaries = ensure(upgrading._package_of(OLD), prefix=settings.ARCHIPEL_PACKAGES) / "bin"
    ensure(postgres.PACKAGE, prefix=settings.ARCHIPEL_PACKAGES)
    subprocess.run(
        [binaries / "initdb", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=peer", "-D", cluster],
        check=True,
        capture_output=True,
    )
    single = [binaries / "postgres", "--single", "-D", cluster, "postgres"]
    subprocess.run(single, input=postgres.ACCOUNTS, text=True, check=True, capture_output=True)
    with upgrading._serving(binaries, cluster, sockets, embedded(data)):
        with psycopg.connect(host=str(sockets), user="archipel", dbname="archipel") as line:
            line.execute(TABLE)
    sockets.rmdir()
    return cluster


@pytest.fixture
def data(old_cluster: Path, tmp_path: Path) -> Path:
    data = tmp_path / "data"
    subprocess.run(["cp", "-a", old_cluster.parent.parent, data], check=True)
    for name in ("run", "log", "keys"):
        (data / name).mkdir()
    make_run_directory(data)
    return data


@pytest.fixture
def stores(data: Path) -> Stores:
    return Stores(data, {**embedded(data), "ARCHIPEL_PACKAGES": str(settings.ARCHIPEL_PACKAGES)})


def rows(data: Path) -> tuple[int, str, str]:
    """Return how many rows there are, in which major version, and the next value of the sequence."""
    with psycopg.connect(host=str(run_directory(data)), user="archipel", dbname="archipel") as line:
        count = line.execute("SELECT count(*) FROM words WHERE word ~ '^[0-9a-f]{32}$'").fetchone()
        major = line.execute("SHOW server_version").fetchone()
        following = line.execute("SELECT nextval('words_id_seq')").fetchone()
    assert count
    assert major
    assert following
    return count[0], major[0].split(".")[0], following[0]


def serve_and_look(stores: Stores, data: Path) -> tuple[int, str, str]:
    try:
        stores.start()
        stores.wait()
        return rows(data)
    finally:
        stores.stop()
        sweep(data)


def test_an_older_cluster_comes_along_and_is_kept_until_the_new_one_serves(stores: Stores, data: Path) -> None:
    assert serve_and_look(stores, data) == (ROWS, postgres.MAJOR, ROWS + 1)
    assert upgrading.majors(data) == [OLD, int(postgres.MAJOR)]
    assert upgrading.layout_of(data) == upgrading.LAYOUT

    upgrading.forget_older(data)
    make_run_directory(data)

    assert sorted(path.name for path in (data / "postgres").iterdir() if path.is_dir()) == [postgres.MAJOR]
    assert serve_and_look(stores, data)[:2] == (ROWS, postgres.MAJOR)


@pytest.mark.parametrize("place", ["made", "loading", "loaded", "written", "renamed"])
def test_killed_anywhere_the_next_start_brings_it_along_whole(stores: Stores, data: Path, place: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(data), place, str(settings.ARCHIPEL_PACKAGES)],
        env=embedded(data),
        cwd=settings.BASE_DIR,
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr

    assert serve_and_look(stores, data)[:2] == (ROWS, postgres.MAJOR)
    assert not upgrading._working_in((data / "postgres" / str(OLD), data / "postgres" / f"{postgres.MAJOR}.new"))


def test_an_old_server_that_still_runs_is_not_taken_over(stores: Stores, data: Path) -> None:
    cluster = data / "postgres" / str(OLD)
    binaries = settings.ARCHIPEL_PACKAGES / upgrading._package_of(OLD) / "bin"
    postgres.make_startable(cluster, run_directory(data))
    left = subprocess.Popen(
        [
            binaries / "postgres",
            "-D",
            cluster,
            f"--unix_socket_directories={run_directory(data)}",
            "-c",
            "listen_addresses=",
        ],
        env=embedded(data),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert serve_and_look(stores, data)[:2] == (ROWS, postgres.MAJOR)
    assert left.wait(10) is not None


def test_a_server_that_does_not_know_the_newest_settings_is_loaded_whole_or_not_at_all(data: Path) -> None:
    """As in production, where the database may be an older one than the portal's own."""
    cluster, sockets = data / "postgres" / str(OLD), run_directory(data)
    older = settings.ARCHIPEL_PACKAGES / upgrading._package_of(OLD) / "bin"
    tools = settings.ARCHIPEL_PACKAGES / postgres.PACKAGE / "bin"
    source = {"PGHOST": str(sockets), "PGUSER": "archipel", "PGDATABASE": "archipel"}
    pieces: list[bytes] = []
    with upgrading._serving(older, cluster, sockets, embedded(data)):
        dumping.dump(tools, source, pieces.append)
        for name, dump in (("whole", b"".join(pieces)), ("half", b"".join(pieces)[:-20_000])):
            target = {**source, "PGDATABASE": name}
            dumping.run_sql(tools, source, f"CREATE DATABASE {name}")
            if name == "half":
                with pytest.raises(Failed):
                    dumping.load(tools, target, lambda write, dump=dump: write(dump))
            else:
                dumping.load(tools, target, lambda write, dump=dump: write(dump))
        count = "SELECT count(*) FROM words"
        assert dumping.run_sql(tools, {**source, "PGDATABASE": "whole"}, count) == str(ROWS)
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert dumping.run_sql(tools, {**source, "PGDATABASE": "half"}, tables) == "0"
    sweep(data)


def test_a_cluster_or_layout_of_a_newer_portal_is_refused_and_left_alone(stores: Stores, data: Path) -> None:
    newer = data / "postgres" / "99"
    newer.mkdir()
    (newer / "PG_VERSION").write_text("99\n")
    with pytest.raises(Failed, match=r"a newer portal has worked in .* no way back"):
        upgrading.bring_database_along(
            postgres.Postgres(data, settings.ARCHIPEL_PACKAGES / postgres.PACKAGE, dict(os.environ)), data, Path
        )
    assert upgrading.majors(data) == [OLD, 99]

    (data / "layout.json").write_text('{"layout": 99}')
    with pytest.raises(Failed, match="made by a newer portal"):
        upgrading.bring_layout_along(data)
    run_directory(data).rmdir()
