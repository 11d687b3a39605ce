"""Credentials as the API lists them: the logins among a service's parts, the main one first, without any secret."""

import uuid
from collections.abc import Mapping

from typing_extensions import TypedDict

from portal.core import ids
from portal.core.api.shapes import Moment, moment
from portal.core.drivers import Connection
from portal.resources import queries
from portal.resources.models import Child, Resource


class CredentialJson(TypedDict):
    """A login. While it is exchanged, the successor's ``predecessor_id`` names the old one."""

    id: str
    name: str
    username: str
    component: str
    main: bool
    state: str
    predecessor_id: str | None
    last_used_at: Moment | None
    created_at: Moment


class SnippetJson(TypedDict):
    """Code that connects."""

    label: str
    language: str
    code: str


class RevealJson(TypedDict):
    """A login with its secret. ``ca_pem`` verifies ``uri`` (libpq: PGSSLROOTCERT)."""

    username: str
    password: str
    uri: str
    ca_pem: str
    environment: dict[str, str]
    snippets: list[SnippetJson]


def credentials(resource: Resource) -> list[Child]:
    """Return the logins of a service that are there or on their way, the main one first."""
    kind = resource.offering.credentials_kind
    rows = Child.objects.filter(resource=resource, kind=kind.slug).kept() if kind else Child.objects.none()
    return sorted(rows, key=lambda child: (not child.spec.get("main", False), child.created_at, child.id))


def connections(resource: Resource) -> Mapping[uuid.UUID, Connection]:
    """Return how each login connects, by child; empty while the service has no address."""
    return {connection.child_id: connection for connection in queries.connections(resource)}


def credential_json(child: Child, connection: Connection | None) -> CredentialJson:
    """Return a login; its user name is its own name until the driver says otherwise."""
    predecessor = child.spec.get("predecessor")
    return {
        "id": ids.encode("cred", child.id),
        "name": child.name,
        "username": connection.username if connection else child.name,
        "component": connection.component if connection else "primary",
        "main": bool(child.spec.get("main", False)),
        "state": child.state,
        "predecessor_id": ids.encode("cred", uuid.UUID(predecessor)) if predecessor else None,
        "last_used_at": moment(child.last_used_at),
        "created_at": moment(child.created_at),
    }
