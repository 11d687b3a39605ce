"""How to connect: URI, environment and code for each login, with placeholders in the place of secrets."""

import json
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

from apps.databases.offerings.postgresql.spec import DatabaseSpec, UserSpec
from portal.core.drivers import ChildView, Connection, Snippet, View

_USER = "{{username}}"
_CA = "ca.pem"


@dataclass(frozen=True, slots=True)
class Place:
    """Where connections go to, and what they are verified by."""

    host: str
    port: int
    authority: tuple[str, str] | None


def connections(view: View, *, authority: tuple[str, str] | None = None) -> tuple[Connection, ...]:
    """Return one for each login, the main one first; none before the service has an address.

    ``authority`` names the secret and key of the certificate to verify by, where it is not the region's.
    """
    endpoint = next(iter(view.facts.get("endpoints", ())), None)
    if endpoint is None:
        return ()
    users = [user for user in view.of_kind("users") if not user.deleting]
    ordered = sorted(users, key=lambda user: not cast(UserSpec, user.spec).main)
    place = Place(str(endpoint.get("host") or view.host), int(endpoint["port"]), authority)
    return tuple(_connection(view, user, place) for user in ordered)


def main_database(view: View) -> str:
    """Return the database that connections begin in."""
    databases = [child for child in view.of_kind("databases") if not child.deleting]
    main = [child for child in databases if cast(DatabaseSpec, child.spec).main]
    return next((child.name for child in (*main, *databases)), "defaultdb")


def _connection(view: View, user: ChildView, place: Place) -> Connection:
    secret = f"user-{user.id.hex}"
    password, database = f"{{{{secret:{secret}.password}}}}", main_database(view)
    address = f"{place.host}:{place.port}/{quote(database, safe='')}"
    uri = f"postgresql://{_USER}:{password}@{address}?sslmode=verify-full"
    environment = {
        "PGHOST": place.host,
        "PGPORT": str(place.port),
        "PGDATABASE": database,
        "PGUSER": _USER,
        "PGPASSWORD": password,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": _CA,
    }
    return Connection(
        child_id=user.id,
        username=user.name,
        secret=secret,
        uri=uri,
        environment=environment,
        snippets=_snippets(uri, environment, database),
        main=cast(UserSpec, user.spec).main,
        authority=place.authority,
    )


def _snippets(uri: str, env: dict[str, str], database: str) -> tuple[Snippet, ...]:
    with_ca = f"{uri}&sslrootcert={_CA}"
    host, port, password = env["PGHOST"], env["PGPORT"], env["PGPASSWORD"]
    jdbc = f"jdbc:postgresql://{host}:{port}/{quote(database, safe='')}?sslmode=verify-full&sslrootcert={_CA}"
    return (
        Snippet("psql", "bash", f"psql '{with_ca}'"),
        Snippet("Python", "python", _PYTHON % {"uri": json.dumps(with_ca)}),
        Snippet("Django", "python", _DJANGO % {**env, "database": json.dumps(database)}),
        Snippet("Node.js", "javascript", _NODE % {**env, "database": json.dumps(database), "ca": _CA}),
        Snippet("Go", "go", _GO % {"uri": json.dumps(with_ca)}),
        Snippet("Java", "java", _JAVA % {"jdbc": json.dumps(jdbc), "user": _USER, "password": password}),
        Snippet(".env", "ini", "".join(f"{name}={value}\n" for name, value in env.items())),
    )


_PYTHON = """\
import psycopg

with psycopg.connect(%(uri)s) as connection:
    print(connection.execute("SELECT version()").fetchone())
"""
_DJANGO = """\
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": %(database)s,
        "USER": "%(PGUSER)s",
        "PASSWORD": "%(PGPASSWORD)s",
        "HOST": "%(PGHOST)s",
        "PORT": "%(PGPORT)s",
        "OPTIONS": {"sslmode": "verify-full", "sslrootcert": "%(PGSSLROOTCERT)s"},
    }
}
"""
_NODE = """\
import fs from "node:fs";
import pg from "pg";

const client = new pg.Client({
  host: "%(PGHOST)s",
  port: %(PGPORT)s,
  database: %(database)s,
  user: "%(PGUSER)s",
  password: "%(PGPASSWORD)s",
  ssl: { ca: fs.readFileSync("%(ca)s", "utf8") },
});
await client.connect();
console.log((await client.query("SELECT version()")).rows[0]);
"""
_GO = """\
package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

func main() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, %(uri)s)
	if err != nil {
		panic(err)
	}
	defer conn.Close(ctx)
	var version string
	if err := conn.QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		panic(err)
	}
	fmt.Println(version)
}
"""
_JAVA = """\
var connection = java.sql.DriverManager.getConnection(
    %(jdbc)s,
    "%(user)s",
    "%(password)s");
"""
