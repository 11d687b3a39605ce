"""PostgreSQL as one supervised process on this machine: from a service as asked for to a ``Unit``."""

from collections.abc import Iterable
from typing import cast

from apps.databases.offerings.postgresql import backups, config, connect, metrics, observe, sql
from apps.databases.offerings.postgresql.children import MAIN_DATABASE
from apps.databases.offerings.postgresql.plans import line_of, packages
from apps.databases.offerings.postgresql.spec import DatabaseSpec, UserSpec
from portal.core.drivers import (
    ChildView,
    Command,
    Connection,
    GeneratedSecret,
    Limits,
    Observation,
    Probe,
    Run,
    Unit,
    UnitState,
    View,
)

SUPERUSER = GeneratedSecret("superuser")
_FIRST = "{{dir}}/" + backups.FIRST_DATA
MAIN_LANE, UPKEEP_LANE = "main", "upkeep"


class LocalPostgresql:
    """Pure: the same view gives the same unit."""

    def render(self, view: View) -> Unit:
        server = f"{{{{package:postgresql-{view.release}}}}}/bin"
        data = "{{dir}}/" + backups.data_directory(view)
        users = view.of_kind("users")
        return Unit(
            packages=packages(view.release),
            argv=(f"{server}/postgres", "-D", data, "-c", "config_file={{dir}}/etc/postgresql.conf"),
            probe=Probe((*sql.PSQL, "-c", "SELECT 1"), env=sql.ENV, after="{{run}}/.s.PGSQL.{{port:main}}"),
            ports=("main",),
            files=config.files(view, read_only=bool(view.facts.get("read_only"))),
            groundwork=() if _is_born_from_backup(view) else _groundwork(view, server),
            prepare=backups.unpack(view) if _is_born_from_backup(view) else (_close(server),),
            runs=_runs(view, server),
            secrets=(SUPERUSER, *(user_secret(user) for user in users)),
            inputs=backups.inputs(view),
            limits=_limits(view),
            running=view.running and not view.is_restoring,
            restarts=view.restarts,
            stop_signal="SIGINT",  # "fast": open transactions are rolled back, everything is written out
            stop_patience_seconds=60.0,
            reload_signal="SIGHUP",
            sampler=metrics.SAMPLER,
            keep_artifacts=backups.kept(view.of_kind("backups")),
        )

    def observe(self, view: View, state: UnitState) -> Observation:
        return observe.observe(view, state)

    def connect(self, view: View) -> tuple[Connection, ...]:
        return connect.connections(view)


def user_secret(user: ChildView) -> GeneratedSecret:
    """Return the secret of one login."""
    return GeneratedSecret(f"user-{user.id.hex}", rotation=cast(UserSpec, user.spec).rotation)


def _is_born_from_backup(view: View) -> bool:
    return view.origin is not None and not view.origin.in_place


def _groundwork(view: View, server: str) -> tuple[Command, ...]:
    """Make the first data directory, the same for every service of a release but for its identity.

    Nobody can get in: no login has a password, and the access file that lies in it rejects all. ``--no-sync`` is safe,
    since whoever lays the groundwork writes it out. The collation is C.UTF-8, the one that every build has (two lack
    ICU); from 17 on it is PostgreSQL's own, so a new C library never changes the order of an index.
    """
    locale = ["--locale=C.UTF-8"]
    if int(view.version) >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = ("--username=postgres", "--auth=reject", "--data-checksums", "--encoding=UTF8", *locale)
    argv = (f"{server}/initdb", "-D", _FIRST, *options, "--no-sync", "--no-instructions")
    scripts = sql.first_things(MAIN_DATABASE, line_of(view.release)).items()
    return (
        Command("making the database cluster", argv),
        *(_single(f"setting up {name}", server, script, "-F", database=name) for name, script in scripts),
    )


def _close(server: str) -> Command:
    """Make the data directory this service's own: nobody else knows the superuser's password."""
    return _single("setting its password", server, sql.own_superuser())


def _single(name: str, server: str, script: str, *options: str, database: str = "postgres") -> Command:
    """Return a command that runs a script with no way in for others meanwhile, neither port nor socket."""
    settings = ("-c", "exit_on_error=on", "-c", "log_checkpoints=off", *options)
    return Command(name, (f"{server}/postgres", "--single", "-D", _FIRST, *settings, database), stdin=script)


def _limits(view: View) -> Limits:
    """Bound what the plan sells. Processes need no bound: the engine has as many as max_connections lets it."""
    return Limits(memory_mib=view.plan.memory_mib, cpu=float(view.plan.cpu), disk_gib=config.disk_gib(view))


# ---- runs ------------------------------------------------------------------------------------------------------------


def _runs(view: View, server: str) -> tuple[Run, ...]:
    """Return all day-2 work, in the order that one lane does it: groups, users, databases, then what is going."""
    data = backups.data_directory(view)
    users = tuple(user for user in view.of_kind("users") if not user.deleting)
    databases = tuple(database for database in view.of_kind("databases") if not database.deleting)
    going = tuple(child for child in view.children if child.deleting and child.kind in ("users", "databases"))
    return (
        _first_run(sql.bootstrap_key(data), users, databases),
        *(_psql(user.key, _user(user)) for user in users),
        *(_psql(database.key, _database(database)) for database in databases),
        *(_psql(child.key, _removal(child, view)) for child in going),
        *_backups(view),
        *backups.restore(view),
        *_sync(view, server),
        *backups.tidy(view),
    )


def _first_run(key: str, users: Iterable[ChildView], databases: Iterable[ChildView]) -> Run:
    """Return what nobody can do without, in one go: groups, main login, main database."""
    first_users = [user for user in users if cast(UserSpec, user.spec).main]
    first_databases = [database for database in databases if cast(DatabaseSpec, database.spec).main]
    script = sql.bootstrap(user.name for user in users)
    script += "".join((*map(_user, first_users), *map(_database, first_databases)))
    return _psql(key, script, covers=tuple(child.key for child in (*first_users, *first_databases)))


def _psql(key: str, script: str, covers: tuple[str, ...] = ()) -> Run:
    argv = (*sql.PSQL, "-f", "-")
    return Run(key, argv, stdin=script, env=sql.ENV, timeout_seconds=120, lane=MAIN_LANE, covers=covers)


def _user(user: ChildView) -> str:
    return sql.ensure_user(user.name, cast(UserSpec, user.spec), user_secret(user).ref())


def _database(database: ChildView) -> str:
    return sql.ensure_database(database.name, cast(DatabaseSpec, database.spec))


def _sync(view: View, server: str) -> tuple[Run, ...]:
    """Return what writes out a data directory that came from a backup, right after the start, when nobody waits."""
    data = backups.data_directory(view)
    if data == backups.FIRST_DATA and not _is_born_from_backup(view):
        return ()
    argv = (f"{server}/initdb", "--sync-only", "-D", "{{dir}}/" + data)
    return (Run(f"sync:{data}", argv, timeout_seconds=600, lane=UPKEEP_LANE),)


def _removal(child: ChildView, view: View) -> str:
    if child.kind == "databases":
        return sql.drop_database(child.name)
    return sql.drop_user(child.name, (database.name for database in view.of_kind("databases")))


def _backups(view: View) -> tuple[Run, ...]:
    wanted = (child for child in view.of_kind("backups") if not child.finished and not child.deleting)
    return tuple(run for child in wanted for run in backups.make(child, view.release))
