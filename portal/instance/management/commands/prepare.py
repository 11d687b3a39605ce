"""``manage.py prepare``: what ``up`` has done by a child before and while the portal's processes start."""

import time
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection

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

    def handle(self, *args: Any, migrate: bool, static: bool, link: bool, **options: Any) -> None:
        if migrate or link:
            wait_for_database()
        if migrate:
            self.stderr.write("migrating the database")
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
            seed()
        if static:
            self.stderr.write("collecting static files")
            call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
        if link:
            from portal.accounts.actions import new_sign_in_link

            self.stdout.write(new_sign_in_link(email=EMAIL))


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
