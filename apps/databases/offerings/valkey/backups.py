"""Backups, restoring one, and the data directories that a restore makes and replaces.

A backup is the engine's own dump, streamed by it over a socket as to a replica and read through by its checker; of a
cluster it is a tar with one dump of each node. A restore over a service lays out new directories beside the old ones
and moves over only when that has worked: ``facts["data"]`` names the one in use.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from apps.databases.offerings.valkey import cli, nodes
from apps.databases.offerings.valkey.nodes import FIRST_DATA, Node
from portal.core.drivers import ChildView, Command, Input, Run, View

LANE, RESTORE_LANE = "backup", "restore"
HOURS = 3600
_MANIFEST = "file appendonly.aof.1.base.rdb seq 1 type b\n"


# ---- making one ------------------------------------------------------------------------------------------------------


def artifact(view: View, child: ChildView) -> str:
    """Return the file that a backup makes; a second try has a place of its own."""
    return f"{_place(child)}/{'dumps.tar' if nodes.is_cluster(view) else 'dump.rdb'}"


def _place(child: ChildView) -> str:
    return f"{child.id.hex}-{child.generation}"


def keys(view: View, child: ChildView) -> tuple[str, ...]:
    """Return the keys of all runs that make up a backup."""
    return tuple(run.key for run in make(view, child))


def make(view: View, child: ChildView) -> tuple[Run, ...]:
    """Return the runs that make a backup and read it through."""
    directory = "{{artifacts}}/" + _place(child)
    room = _part(child, "room", ("/usr/bin/mkdir", "-p", "-m", "0700", directory))
    if not nodes.is_cluster(view):
        file = "{{artifacts}}/" + artifact(view, child)
        dump = _dump(child, child.key, nodes.primary_node(view), file, artifact(view, child))
        return (room, dump, _check(view, child, "verify", file))
    files = {node: f"{node.number}.rdb" for node in nodes.nodes(view)}
    dumps = (_dump(child, f"{child.key}:{node.name}", node, f"{directory}/{file}") for node, file in files.items())
    checks = (_check(view, child, f"verify-{node.name}", f"{directory}/{file}") for node, file in files.items())
    tar = ("/usr/bin/tar", "-cf", "{{artifacts}}/" + artifact(view, child), "-C", directory, "--remove-files")
    packed = Run(
        child.key,
        (*tar, *files.values()),
        timeout_seconds=2 * HOURS,
        once=True,
        lane=LANE,
        artifact=artifact(view, child),
        cancelled=child.cancelled,
    )
    return (room, *dumps, *checks, packed)


def _dump(child: ChildView, key: str, node: Node, file: str, name: str = "") -> Run:
    argv = cli.argv(node.socket, "--rdb", file)
    env, limit = cli.ENV, 2 * HOURS
    return Run(
        key, argv, env=env, timeout_seconds=limit, once=True, lane=LANE, artifact=name, cancelled=child.cancelled
    )


def _check(view: View, child: ChildView, name: str, file: str) -> Run:
    return _part(child, name, (*_checker(view), file))


def _part(child: ChildView, name: str, argv: tuple[str, ...]) -> Run:
    return Run(f"{child.key}:{name}", argv, timeout_seconds=2 * HOURS, lane=LANE, cancelled=child.cancelled)


def _checker(view: View) -> tuple[str, ...]:
    return (f"{{{{package:valkey-{view.release}}}}}/valkey-check-rdb",)


def kept(view: View) -> tuple[str, ...]:
    """Return the artifacts of the finished backups that are still wanted."""
    wanted = (child for child in view.of_kind("backups") if child.state == "succeeded" and not child.deleting)
    return tuple(str(child.facts.get("artifact") or artifact(view, child)) for child in wanted)


# ---- laying out data -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a backup to a data directory, for a preparation or a run."""

    name: str
    argv: tuple[str, ...]
    stdin: str = ""


def empty(directory: str) -> tuple[Step, ...]:
    """Return what makes the nodes' directories, of all nodes that there can be."""
    places = tuple(f"{{{{dir}}}}/{directory}/{number}" for number in range(1, nodes.PRIMARIES + 1))
    return (Step("making the data directories", ("/usr/bin/mkdir", "-p", "-m", "0700", *places)),)


def _filled(view: View, directory: str, source: str) -> Iterator[Step]:
    """Check a backup, then put it where a start reads it: as the log, where the engine keeps one, else as its dump."""
    yield from empty(directory)
    if not nodes.is_cluster(view):
        yield Step("checking the backup", (*_checker(view), source))
        yield from _placed(view, Node(nodes.primary(view), directory), source)
        return
    unpacked = f"{{{{dir}}}}/{directory}"
    yield Step("unpacking the backup", ("/usr/bin/tar", "-xf", source, "-C", unpacked))
    for number in range(1, nodes.PRIMARIES + 1):
        dump = f"{unpacked}/{number}.rdb"
        yield Step(f"checking dump {number}", (*_checker(view), dump))
        yield from _placed(view, Node(number, directory), dump)
        yield Step(f"making room {number}", ("/usr/bin/rm", dump))


def _placed(view: View, node: Node, source: str) -> Iterator[Step]:
    """The base of a log is a dump as well; a start that finds a log without its manifest would begin empty."""
    if not nodes.keeps_log(nodes.persistence(view)):
        yield Step(f"copying the dump {node.number}", ("/usr/bin/cp", source, f"{node.directory}/dump.rdb"))
        return
    log = f"{node.directory}/appendonlydir"
    yield Step(f"making the log's directory {node.number}", ("/usr/bin/mkdir", "-m", "0700", log))
    yield Step(f"copying the dump {node.number}", ("/usr/bin/cp", source, f"{log}/appendonly.aof.1.base.rdb"))
    manifest = f"{log}/appendonly.aof.manifest"
    yield Step(f"writing the log's manifest {node.number}", ("/usr/bin/tee", manifest), _MANIFEST)


# ---- into a new service ----------------------------------------------------------------------------------------------


def is_born_from_backup(view: View) -> bool:
    return view.origin is not None and not view.origin.in_place


def inputs(view: View) -> tuple[Input, ...]:
    """Return the backup that a new service is born from, for as long as it has not been up."""
    origin = view.origin
    if origin is None or origin.in_place or "release" in view.facts:
        return ()
    return (Input("backup", origin.handle, str(origin.facts.get("artifact", ""))),)


def prepare(view: View) -> tuple[Command, ...]:
    """Return how a service gets its first data: none, or a backup's."""
    born = is_born_from_backup(view)
    steps = _filled(view, FIRST_DATA, "{{input:backup}}") if born else empty(FIRST_DATA)
    return tuple(Command(step.name, step.argv, stdin=step.stdin, timeout_seconds=2 * HOURS) for step in steps)


# ---- over the service itself -----------------------------------------------------------------------------------------


def restored_directory(view: View) -> str:
    """Return the directory that the restore fills."""
    return f"{FIRST_DATA}-{view.origin.key.replace('-', '')[:12]}" if view.origin else FIRST_DATA


def restore_keys(view: View) -> tuple[str, ...]:
    return tuple(run.key for run in restore(view))


def restore(view: View) -> tuple[Run, ...]:
    """Return the runs that fill a new data directory while the engines stand still; the old one is not touched."""
    origin = view.origin
    if origin is None or not view.is_restoring:
        return ()
    steps = _filled(view, restored_directory(view), "{{artifacts}}/" + str(origin.facts.get("artifact", "")))
    return tuple(
        Run(
            f"restore:{origin.key}:{step.name}",
            step.argv,
            stdin=step.stdin,
            timeout_seconds=2 * HOURS,
            once=True,
            lane=RESTORE_LANE,
            while_stopped=True,
        )
        for step in steps
    )


def tidy(view: View) -> tuple[Run, ...]:
    """Return the run that removes the data directories that a restore has replaced."""
    current = nodes.data_directory(view)
    if view.is_restoring or (current == FIRST_DATA and "restore_failed" not in view.facts):
        return ()
    search = ("/usr/bin/find", "{{dir}}", "-mindepth", "1", "-maxdepth", "1", "-type", "d", "-name", f"{FIRST_DATA}*")
    argv = (*search, "!", "-name", current, "-exec", "/usr/bin/rm", "-rf", "{}", "+")
    key = f"tidy:{current}:{view.facts.get('restore_failed', '')}"
    return (Run(key, argv, timeout_seconds=600, lane="upkeep"),)
