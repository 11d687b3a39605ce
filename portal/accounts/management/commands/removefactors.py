"""``manage.py removefactors EMAIL``: for who has lost code app, passkeys and recovery codes; run at the machine."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.models import User
from portal.accounts.recovery import remove_factors
from portal.core.actors import SYSTEM


class Command(BaseCommand):
    help = "Take away a person's second factors and end their sessions, so that they can enroll new ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", default="lost", help="what the audit log is to say (lost)")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"], machine_of=None).first()
        if user is None:
            raise CommandError(f"Nobody here has the address {options['email']}.")
        removed = remove_factors(SYSTEM, user, reason=options["reason"])
        self.stdout.write(f"{removed} factors removed; every session of {user.email} has ended.")
