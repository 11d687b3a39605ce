"""``manage.py signin EMAIL``: a new one-time sign-in link; on portals that ``up`` serves on this machine only."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.actions import new_sign_in_link
from portal.core.errors import Problem


class Command(BaseCommand):
    help = "Print a new one-time sign-in link for a person; it works once, for ten minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            path = new_sign_in_link(email=options["email"])
        except Problem as problem:
            nobody = f"Nobody here has the address {options['email']}. Make them with `manage.py adduser`."
            raise CommandError(nobody if problem.code == "not_found" else problem.detail) from problem
        self.stdout.write(f"{settings.BASE_URL}{path}")
