"""``manage.py backup FILE``: the whole portal in one file. Where nobody serves, ``alone`` brings the database along."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.instance.care import gathering, saving
from portal.instance.failed import Failed


class Command(BaseCommand):
    help = (
        "Write the whole portal to one file: database, encryption keys, certificate authority, audit heads, and the "
        "data of every service on this machine. Taken while it serves or while it stands still; `restore` reads it. "
        "With DATABASE_URL set: the database that it names, and the services of this machine's supervisor. "
        "The file holds every secret of portal and customers: it is readable by its owner alone, keep it so. "
        "Packages, logs, sessions and SECRET_KEY are not in it, nor the data of services in other regions."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="where to write it; - is standard output")
        parser.add_argument(
            "--pause",
            action="store_true",
            help="services that can't be backed up while running stand still while their files are copied",
        )
        parser.add_argument("--force", action="store_true", help="replace FILE where it exists")

    def handle(self, *args: Any, file: str, pause: bool, force: bool, **options: Any) -> None:
        try:
            if file == "-":
                saving.save(sys.stdout.buffer, pause=pause)
            else:
                self._to_file(Path(file).absolute(), pause=pause, force=force)
        except Failed as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"the backup could not be written: {error}") from error

    def _to_file(self, file: Path, *, pause: bool, force: bool) -> None:
        draft, stream = saving.draft_of(file, force=force)
        try:
            manifest = saving.save(stream, pause=pause)
            saving.put_in_place(draft, file, stream)
        finally:
            stream.close()
            draft.unlink(missing_ok=True)
        size = file.stat().st_size / 1_000_000
        self.stderr.write(f"{file}: {size:.0f} MB, {len(manifest.services)} services of {settings.ARCHIPEL_DATA}")
        if others := gathering.others():
            self.stderr.write(f"{others} services run in other regions: their rows are in it, their data is not")
