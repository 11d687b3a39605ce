"""``manage.py prepare``: what ``up`` has done by a child before and while the portal's processes start."""

import json
import time
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader

from portal.instance.care import reviving
from portal.instance.care.archive import Service
from portal.instance.seed import seed
from portal.projects.seed import EMAIL

PATIENCE = 60.0  # seconds that the database may take to recover from a crash


class Command(BaseCommand):
    help = "Migrates, seeds, collects static files and makes a sign-in link. Called by up."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="migrate and seed")
        parser.add_argument("--static", action="store_true", help="collect static files")
        parser.add_argument("--link", action="store_true", help="print the path of a new one-time sign-in link")

        parser.add_argument("--restored", metavar="FILE", type=Path, help="settle a restored database (restore's own)")

    def handle(
        self, *args: Any, migrate: bool, static: bool, link: bool, restored: Path | None = None, **options: Any
    ) -> None:
        if migrate or link:
            wait_for_database()
        if restored:
            reviving.revive(Service(**entry) for entry in json.loads(restored.read_text()))
        if migrate:
            refuse_newer()
            self.stderr.write("migrating the database")
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
            seed()
        if static:
            self.stderr.write("collecting static files")
            call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
        if link:
            from portal.accounts.actions import new_sign_in_link

            self.stdout.write(new_sign_in_link(email=EMAIL))


def refuse_newer() -> None:
    """End where a newer portal has migrated the database: there is no way back. Raises CommandError."""
    loader = MigrationLoader(connection)
    known = set(loader.disk_migrations) | {old for one in loader.disk_migrations.values() for old in one.replaces}
    own = {config.label for config in apps.get_app_configs() if config.name.startswith(("portal.", "apps."))}
    unknown = sorted(f"{label}.{name}" for label, name in set(loader.applied_migrations) - known if label in own)
    if unknown:
        raise CommandError(
            f"a newer portal has worked with this database: it has {unknown[0]}, unknown here. There is no way back "
            "but a backup from before: use the newer portal."
        )


def wait_for_database() -> None:
    """Return once it takes connections. Raises OperationalError where it does not for a minute."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            connection.ensure_connection()
            return
        except OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
