"""``manage.py order``: a service from the shell, by the same action as console and API."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.actors import actor_for
from portal.accounts.models import User
from portal.clusters import authorities
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects.access import access_project
from portal.projects.models import Project
from portal.resources import actions, queries
from portal.resources.models import Child, Operation, Resource


class Command(BaseCommand):
    help = "Order a service. With --wait the last line is a connection URI that works as it stands on this machine."

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """Let ``--version`` mean the engine's, as customers expect, and not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("offering")
        parser.add_argument("name")
        parser.add_argument("--project", default="demo")
        parser.add_argument("--plan", default="")
        parser.add_argument("--version", default="", dest="engine_version")
        parser.add_argument("--region", default="")
        parser.add_argument("--set", action="append", default=[], metavar="key=value", dest="settings_given")
        parser.add_argument("--as", default="admin@example.org", dest="email", help="who orders")
        parser.add_argument("--acknowledge", action="append", default=[], metavar="WARNING")
        parser.add_argument("--wait", action="store_true", help="wait until it runs")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = _actor(options["email"])
        try:
            operation = _order(actor, options)
            self.stderr.write(f"{operation.resource.public_id} ordered, operation {operation.public_id}")
            self.stdout.write(_wait(actor, operation) if options["wait"] else operation.resource.public_id)
        except Problem as problem:
            raise CommandError(_explain(problem)) from problem


def _actor(email: str) -> Actor:
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no user {email}. Make one: manage.py adduser {email} --organization SLUG")
    return actor_for(user)


def _order(actor: Actor, options: dict[str, Any]) -> Operation:
    project: Project = access_project(actor, options["project"], "service.create")
    request = actions.OrderRequest(
        name=options["name"],
        offering=options["offering"],
        version=options["engine_version"],
        plan=options["plan"],
        region=options["region"],
        spec=dict(_pair(text) for text in options["settings_given"]),
        acknowledge=tuple(options["acknowledge"]),
    )
    return actions.order(actor, project=project, request=request)


def _pair(text: str) -> tuple[str, Any]:
    """Read ``key=value``; a value is JSON where it can be read so, else a text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--set {text}: write key=value")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def _wait(actor: Actor, operation: Operation) -> str:
    """Wait until the order has ended; return the URI of the main login."""
    while operation.is_open:
        operation = queries.wait_for_operation(operation.id, 5)
        if operation.is_open and operation.message:
            print(operation.message, file=sys.stderr)  # noqa: T201
    if operation.state != Operation.State.SUCCEEDED:
        raise CommandError(f"{operation.get_state_display()}: {operation.message}")
    return _uri(actor, Resource.objects.select_related("project", "cluster").get(id=operation.resource_id))


def _uri(actor: Actor, resource: Resource) -> str:
    kind = resource.offering.credentials_kind
    logins = Child.objects.filter(resource=resource, kind=kind.slug) if kind else Child.objects.none()
    main = next((child for child in logins if child.spec.get("main")), None)
    if main is None:
        endpoint = resource.facts["endpoints"][0]
        return f"{endpoint['host']}:{endpoint['port']}"
    main.resource = resource
    shown = actions.reveal(actor, main)
    return verified_by(str(shown["uri"]), str(authority_file(resource, str(shown["ca_pem"]))))


def authority_file(resource: Resource, pem: str) -> Path:
    """Return a file with what verifies a service. Raises CommandError where it can't be written."""
    try:
        return authorities.write(resource.handle, pem)
    except OSError as error:
        raise CommandError(f"{resource.name} runs, but what verifies it can't be written: {error}") from error


def verified_by(uri: str, authority: str) -> str:
    """Return a URI that says by which file of certificates its server is verified, in its own clients' word for it."""
    parts = urlsplit(uri)
    if "sslmode=" in parts.query:
        word = "sslrootcert"  # libpq
    elif parts.scheme == "rediss":
        word = "ssl_ca_certs"  # redis-py, valkey-py
    else:
        return uri
    query = "&".join(part for part in (parts.query, f"{word}={quote(authority)}") if part)
    return urlunsplit(parts._replace(query=query))


def _explain(problem: Problem) -> str:
    return "\n".join([problem.detail, *(f"{error.pointer}: {error.detail}" for error in problem.errors)])
