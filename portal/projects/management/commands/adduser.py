"""``manage.py adduser EMAIL --organization SLUG``: a person with roles; makes what is missing."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from portal.core.errors import Problem
from portal.projects.models import OrganizationRole, ProjectRole
from portal.projects.people import add_person


class Command(BaseCommand):
    help = "Make a person a member of an organization and give them roles in projects; makes what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", type=_address)
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--role", choices=OrganizationRole.values)
        parser.add_argument("--project", action="append", default=[], type=_project_role, metavar="SLUG:ROLE")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = add_person(
                email=options["email"],
                organization=options["organization"],
                role=options["role"],
                projects=dict(options["project"]),
            )
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(f"{user.email} belongs to {options['organization']}.")


def _address(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError as error:
        raise ArgumentTypeError(f"{text!r} is no mail address") from error
    return text


def _project_role(text: str) -> tuple[str, str]:
    slug, _separator, role = text.rpartition(":")
    if not slug or role not in ProjectRole.values:
        raise ArgumentTypeError(f"{text!r}: write SLUG:ROLE with one of {', '.join(ProjectRole.values)}")
    return slug, role
