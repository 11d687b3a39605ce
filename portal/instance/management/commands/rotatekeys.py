"""``manage.py rotatekeys``: seal everything under a new encryption key, while the portal serves or stands still."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.core import vault
from portal.instance.care import keys
from portal.instance.failed import Failed


class Command(BaseCommand):
    help = (
        "Make a new encryption key and seal every stored secret anew under it. May run while the portal serves, and "
        "again after it was cut off: --resume goes on without another key. Older keys stay until --drop-old, and an "
        "older backup needs the key that it was made with, which it holds. SECRET_KEY is another matter: replace "
        "keys/secret_key (or the variable) and start again, which signs everybody out."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--resume", action="store_true", help="seal what is left under the newest key; make none")
        what.add_argument("--status", action="store_true", help="only say how many texts are sealed under which key")
        parser.add_argument("--drop-old", action="store_true", help="forget older keys once nothing needs them")

    def handle(self, *args: Any, resume: bool, status: bool, drop_old: bool, **options: Any) -> None:
        try:
            found = keys.census() if status else self._rotate(new_key=not resume, drop_old=drop_old)
        except Failed as error:
            raise CommandError(str(error)) from error
        for line in _lines(found):
            self.stdout.write(line)

    def _rotate(self, *, new_key: bool, drop_old: bool) -> Counter[int]:
        return keys.rotate(new_key=new_key, drop_old=drop_old, say=self.stderr.write)


def _lines(found: Counter[int]) -> list[str]:
    lines = [f"key {version}: {count} texts" for version, count in sorted(found.items()) if version >= 0]
    lines += [f"no sealed text at all: {found[-1]}"] if found[-1] else []
    return lines or [f"key {vault.newest()}: nothing is sealed yet"]
