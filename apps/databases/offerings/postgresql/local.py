"""PostgreSQL as one supervised process on this machine: from a service as asked for to a ``Unit``."""

from typing import cast

from apps.databases.offerings.postgresql import backups, config, connect, metrics, observe, sql
from apps.databases.offerings.postgresql.plans import packages
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
            probe=Probe((*sql.PSQL, "-c", "SELECT 1"), env=sql.ENV),
            ports=("main",),
            files=config.files(view, read_only=bool(view.facts.get("read_only"))),
            prepare=backups.unpack(view) if _is_born_from_backup(view) else (_initdb(view, server),),
            runs=_runs(view, server),
            secrets=(SUPERUSER, *(user_secret(user) for user in users)),
            inputs=backups.inputs(view),
            limits=_limits(view),
            running=view.running and not backups.is_restoring(view),
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


def _initdb(view: View, server: str) -> Command:
    """Make the first data directory.

    ``--no-sync`` is safe: until preparation is complete a crash repeats it all, and the ``sync`` run writes everything
    out right after the start, where nobody waits for it. The collation is C.UTF-8, the one that every build has (two
    lack ICU); from 17 on it is PostgreSQL's own, so a new C library never changes the order of an index.
    """
    locale = ["--locale=C.UTF-8"]
    if int(view.version) >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = ("--username=postgres", "--pwfile={{dir}}/etc/superuser", "--auth=scram-sha-256", "--data-checksums")
    data = "{{dir}}/" + backups.FIRST_DATA
    argv = (f"{server}/initdb", "-D", data, *options, "--encoding=UTF8", *locale, "--no-sync", "--no-instructions")
    return Command("making the database cluster", argv)


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
    sync = (f"{server}/initdb", "--sync-only", "-D", "{{dir}}/" + data)
    return (
        _psql(sql.bootstrap_key(data), sql.bootstrap(user.name for user in users)),
        *(_psql(user.key, _user(user)) for user in users),
        *(_psql(child.key, sql.ensure_database(child.name, cast(DatabaseSpec, child.spec))) for child in databases),
        *(_psql(child.key, _removal(child, view)) for child in going),
        *_backups(view),
        *backups.restore(view),
        Run(f"sync:{data}", sync, timeout_seconds=600, lane=UPKEEP_LANE),
        *backups.tidy(view),
    )


def _psql(key: str, script: str) -> Run:
    return Run(key, (*sql.PSQL, "-f", "-"), stdin=script, env=sql.ENV, timeout_seconds=120, lane=MAIN_LANE)


def _user(user: ChildView) -> str:
    return sql.ensure_user(user.name, cast(UserSpec, user.spec), user_secret(user).ref())


def _removal(child: ChildView, view: View) -> str:
    if child.kind == "databases":
        return sql.drop_database(child.name)
    return sql.drop_user(child.name, (database.name for database in view.of_kind("databases")))


def _backups(view: View) -> tuple[Run, ...]:
    wanted = (child for child in view.of_kind("backups") if not child.finished and not child.deleting)
    return tuple(run for child in wanted for run in backups.make(child, view.release))
