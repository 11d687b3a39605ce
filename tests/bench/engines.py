"""The offerings that orders are measured with: how one query is asked, and the script that starts the same engine.

One row for each, and nothing about an engine anywhere else: to measure another one, add it to ``ENGINES``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import redis

from portal.core import registry
from tests.journeys.engines import Login


@dataclass(frozen=True)
class Engine:
    """One offering, and its comparator: scripts that get the package, an unused directory, a port and a password."""

    slug: str
    plan: str
    server: str  # the end of its program's path
    ask: Callable[[Login], None]  # one query with an issued login, over verified TLS
    identity: Callable[[Login], object]  # what tells one instance from every other
    start: str
    stop: str
    ask_script: Callable[[int, str], None]  # the same query of what the script started: port, password

    def __str__(self) -> str:
        return self.slug

    @property
    def package(self) -> str:
        """Return the package that an order without a version gets, which the scripts start as well."""
        return f"{self.slug}-{registry.offerings()[self.slug].default_version.newest}"


def _sql(login: Login, query: str) -> object:
    with login.authority() as file, psycopg.connect(login.uri, sslrootcert=file) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    assert row
    return row[0]


def _ask_postgresql(login: Login) -> None:
    assert _sql(login, "select 1") == 1


def _identify_postgresql(login: Login) -> object:
    """Return what tells one data directory from every other that was not copied from it."""
    return _sql(login, "select system_identifier from pg_control_system()")


def _ask_postgresql_of_script(port: int, password: str) -> None:
    with psycopg.connect(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres") as connection:
        connection.execute("select 1")


POSTGRESQL = Engine(
    slug="postgresql",
    plan="free",
    server="/bin/postgres",
    ask=_ask_postgresql,
    identity=_identify_postgresql,
    start="""
set -e
bin=$1/bin dir=$2 port=$3
echo "$4" > "$dir.pw"
"$bin/initdb" -D "$dir" -U postgres --pwfile="$dir.pw" -A scram-sha-256 -k --no-sync --no-instructions > /dev/null
options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir"
"$bin/pg_ctl" -D "$dir" -w -l "$dir.log" -o "$options" start > /dev/null
""",
    stop='"$1/bin/pg_ctl" -D "$2" -m fast -w stop',
    ask_script=_ask_postgresql_of_script,
)


def _set_and_get(client: "redis.Redis") -> None:
    assert client.set("greeting", "hello")
    assert client.get("greeting") == "hello"


def _ask_valkey(login: Login) -> None:
    with login.authority() as file:
        with redis.Redis.from_url(login.uri, ssl_ca_certs=file, decode_responses=True) as client:
            _set_and_get(client)


def _identify_valkey(login: Login) -> object:
    """Return what tells one engine from every other: a name that each gives itself, and no directory keeps."""
    with login.authority() as file:
        with redis.Redis.from_url(login.uri, ssl_ca_certs=file, decode_responses=True) as client:
            return client.info("server")["run_id"]


def _ask_valkey_of_script(port: int, password: str) -> None:
    with redis.Redis(port=port, username="admin", password=password, decode_responses=True) as client:
        _set_and_get(client)


VALKEY = Engine(
    slug="valkey",
    plan="free",
    server="/bin/valkey-server",
    ask=_ask_valkey,
    identity=_identify_valkey,
    # As an order has it: a log of every write, its users in a file. No front that speaks TLS: the build has no TLS.
    start="""
set -e
dir=$2 port=$3
mkdir -m 0700 "$dir"
printf 'user default off\\nuser admin on >%s ~* &* +@all\\n' "$4" > "$dir/users.acl"
cat > "$dir/valkey.conf" <<END
bind 127.0.0.1
port $port
dir $dir
aclfile $dir/users.acl
appendonly yes
daemonize yes
pidfile $dir/pid
logfile $dir/log
END
"$1/bin/valkey-server" "$dir/valkey.conf"
until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do sleep 0.01; done
""",
    stop='kill "$(cat "$2/pid")" && while [ -e "$2/pid" ]; do sleep 0.01; done',
    ask_script=_ask_valkey_of_script,
)

ENGINES = (POSTGRESQL, VALKEY)
