"""``manage.py token EMAIL [--scope SCOPE]...``: a new API token of a person, or of a service account by its id.

The token is the last line of stdout.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from portal.accounts.actions import create_token
from portal.accounts.actors import actor_for
from portal.accounts.models import User
from portal.core import ids
from portal.core.errors import Problem


class Command(BaseCommand):
    help = "Make an API token of a person or service account; without --scope it may do all that its account may."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="a mail address, or the id of a service account (sa_…)")
        parser.add_argument("--scope", action="append", default=[], help="read, write, project:SLUG or family:SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        user = _account(options["email"])
        if user is None:
            raise CommandError(f"Nobody here has the address or id {options['email']}.")
        try:
            _token, plain = create_token(actor_for(user), name="Command line", scopes=options["scope"])
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(plain)


def _account(text: str) -> User | None:
    machine = ids.decode("sa", text)
    named = Q(id=machine, machine_of__isnull=False) if machine else Q(email__iexact=text, machine_of=None)
    return User.objects.filter(named, is_active=True).first()
