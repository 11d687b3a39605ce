"""``manage.py token EMAIL [--scope SCOPE]...``: a new API token of a person, on the last line of stdout."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.actions import create_token
from portal.accounts.actors import actor_for
from portal.accounts.models import User
from portal.core.errors import Problem


class Command(BaseCommand):
    help = "Make an API token of a person; without --scope it may do what the person may."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--scope", action="append", default=[], help="read, write, project:SLUG or family:SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"], is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody here has the address {options['email']}.")
        try:
            _token, plain = create_token(actor_for(user), name="Command line", scopes=options["scope"])
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(plain)
