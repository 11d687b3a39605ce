"""Base backups, restoring one, and which data directory a service lives in.

A backup is one gzipped tar of the whole data directory with the log that makes it consistent. A restore over a service
unpacks it beside the old data and moves over only when that has worked: ``facts["data"]`` names the directory in use.
"""

from apps.databases.offerings.postgresql import sql
from apps.databases.offerings.postgresql.plans import TOOLS, line_of
from portal.core.drivers import ChildView, Command, Input, Run, View

FIRST_DATA = "data"
LANE, RESTORE_LANE = "backup", "restore"
HOURS = 3600
_TOOLS = f"{{{{package:{TOOLS}}}}}/bin"
_COPY = ("--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--compress=client-gzip:1")


def data_directory(view: View) -> str:
    """Return the name of the data directory in use."""
    return str(view.facts.get("data", FIRST_DATA))


# ---- making one ------------------------------------------------------------------------------------------------------


def artifact(child: ChildView) -> str:
    """Return the file that a backup makes; a second try has a place of its own."""
    return f"{child.id.hex}-{child.generation}/base.tar.gz"


def verify_key(child: ChildView) -> str:
    return f"{child.key}:verify"


def make(child: ChildView, release: str) -> tuple[Run, ...]:
    """Return the runs that make a backup and read it through against the checksums that the server gave along."""
    directory = "{{artifacts}}/" + artifact(child).partition("/")[0]
    connection = ("-h", "{{run}}", "-p", "{{port:main}}", "-U", "postgres")
    copy = (f"{_TOOLS}/pg_basebackup", *connection, "-D", directory, *_COPY)
    return (
        Run(
            child.key,
            (*copy, "--label", f"backup {child.id.hex}"),
            env={"PGPASSWORD": "{{secret:superuser.password}}", "PGAPPNAME": "platform"},
            timeout_seconds=2 * HOURS,
            once=True,
            lane=LANE,
            artifact=artifact(child),
            cancelled=child.cancelled,
        ),
        Run(
            verify_key(child),
            (f"{_TOOLS}/pg_verifybackup", "-F", "t", "--no-parse-wal", "--quiet", *_not_verified(release), directory),
            timeout_seconds=2 * HOURS,
            lane=LANE,
            cancelled=child.cancelled,
        ),
    )


def _not_verified(release: str) -> tuple[str, ...]:
    """The tools (18) take the control file of a 17 for one of their own and find its sum wrong; the rest they check."""
    return ("--ignore", "global/pg_control") if line_of(release) == 17 else ()


def kept(children: tuple[ChildView, ...]) -> tuple[str, ...]:
    """Return the artifacts of the finished backups that are still wanted."""
    wanted = (child for child in children if child.state == "succeeded" and not child.deleting)
    return tuple(str(child.facts.get("artifact") or artifact(child)) for child in wanted)


# ---- into a new service ----------------------------------------------------------------------------------------------


def inputs(view: View) -> tuple[Input, ...]:
    """Return the backup that a new service is born from, for as long as it has not been up."""
    origin = view.origin
    if origin is None or origin.in_place or "release" in view.facts:
        return ()
    return (Input("backup", origin.handle, str(origin.facts.get("artifact", ""))),)


def unpack(view: View) -> tuple[Command, ...]:
    """Return the preparation of a service that is born from a backup."""
    steps = _steps(view, FIRST_DATA, "{{input:backup}}")
    return tuple(Command(name, argv, stdin=stdin, timeout_seconds=2 * HOURS) for name, argv, stdin in steps)


# ---- over the service itself -----------------------------------------------------------------------------------------


def restored_directory(view: View) -> str:
    """Return the directory that the restore fills."""
    return f"{FIRST_DATA}-{view.origin.key.replace('-', '')[:12]}" if view.origin else FIRST_DATA


def restore_keys(view: View) -> tuple[str, ...]:
    return tuple(run.key for run in restore(view))


def restore(view: View) -> tuple[Run, ...]:
    """Return the runs that fill a new data directory while the engine stands still; the old one is not touched."""
    origin = view.origin
    if origin is None or not view.is_restoring:
        return ()
    source = "{{artifacts}}/" + str(origin.facts.get("artifact", ""))
    steps = _steps(view, restored_directory(view), source)
    return tuple(
        Run(
            f"restore:{origin.key}:{name}",
            argv,
            stdin=stdin,
            timeout_seconds=2 * HOURS,
            once=True,
            lane=RESTORE_LANE,
            while_stopped=True,
        )
        for name, argv, stdin in steps
    )


def _steps(view: View, directory: str, source: str) -> tuple[tuple[str, tuple[str, ...], str], ...]:
    """Return name, command and input of each step from a backup to a data directory that is ours."""
    target = "{{dir}}/" + directory
    server = f"{{{{package:postgresql-{view.release}}}}}/bin/postgres"
    config = "config_file={{dir}}/etc/postgresql.conf"
    single = (server, "--single", "-D", target, "-c", config, "-c", "exit_on_error=on", "postgres")
    return (
        ("making room", ("/usr/bin/mkdir", "-m", "0700", target), ""),
        ("unpacking the backup", ("/usr/bin/tar", "-xzf", source, "-C", target), ""),
        ("bringing it up to its end", single, sql.lock_logins()),
    )


def tidy(view: View) -> tuple[Run, ...]:
    """Return the run that removes the data directories that a restore has replaced."""
    current = data_directory(view)
    if view.is_restoring or (current == FIRST_DATA and "restore_failed" not in view.facts):
        return ()
    search = ("/usr/bin/find", "{{dir}}", "-mindepth", "1", "-maxdepth", "1", "-type", "d", "-name", f"{FIRST_DATA}*")
    argv = (*search, "!", "-name", current, "-exec", "/usr/bin/rm", "-rf", "{}", "+")
    key = f"tidy:{current}:{view.facts.get('restore_failed', '')}"
    return (Run(key, argv, timeout_seconds=600, lane="upkeep"),)
