"""How to connect, as the Connect page shows it: with masks in the place of secrets, or with what was revealed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from portal.core import conditions, ids
from portal.core.drivers import Connection
from portal.resources.models import Child, Resource, State

MASK = "••••\N{NO-BREAK SPACE}••••"  # the gap keeps a masked address from passing for one that works
_SECRET = re.compile(r"\{\{secret:[^}]*\}\}")


def is_awaited(resource: Resource) -> bool:
    """Whether nobody is behind the service's address yet: it is known before, and helps nobody until then."""
    first_time = resource.state == State.RESTORING and not (resource.origin or {}).get("in_place")
    return resource.ready_once_at is None or resource.state == State.PROVISIONING or first_time


def waits_for(resource: Resource) -> str:
    """Say what such a service waits for at the moment."""
    ready = conditions.find(resource.conditions, "Ready")
    return ready.message if ready is not None else ""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code of one language, for the ``snippets`` tag."""

    title: str
    code: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One login's way in. ``password`` and ``uri`` are empty until revealed; ``masked_uri`` never holds a secret."""

    credential_id: str
    username: str
    host: str
    port: int | None
    database: str
    masked_uri: str
    snippets: tuple[Snippet, ...]
    environment: tuple[tuple[str, str], ...]
    password: str = ""
    uri: str = ""

    @property
    def is_revealed(self) -> bool:
        return bool(self.password)


def masked(connection: Connection) -> Shown:
    """Return a login's way in without its secret."""

    def fill(text: str) -> str:
        return _SECRET.sub(MASK, text.replace("{{username}}", connection.username))

    uri = fill(connection.uri)
    address = urlsplit(uri)
    return Shown(
        credential_id=ids.encode("cred", connection.child_id),
        username=connection.username,
        host=address.hostname or "",
        port=address.port,
        database=address.path.lstrip("/"),
        masked_uri=uri,
        snippets=tuple(Snippet(item.label, fill(item.code)) for item in connection.snippets),
        environment=tuple((name, fill(value)) for name, value in connection.environment.items()),
    )


def revealed(connection: Connection, secrets: Mapping[str, Any]) -> Shown:
    """Return the same with what ``actions.reveal`` gave."""
    plain = masked(connection)
    return Shown(
        credential_id=plain.credential_id,
        username=str(secrets["username"]),
        host=plain.host,
        port=plain.port,
        database=plain.database,
        masked_uri=plain.masked_uri,
        snippets=tuple(Snippet(item["label"], item["code"]) for item in secrets["snippets"]),
        environment=tuple(secrets["environment"].items()),
        password=str(secrets["password"]),
        uri=str(secrets["uri"]),
    )


@dataclass(frozen=True, slots=True)
class Rotation:
    """An exchange of a login that is under way: both work until it is completed."""

    old: Child
    new: Child

    @property
    def is_ready(self) -> bool:
        return self.new.state == "ready"


def rotation_of(child: Child, logins: list[Child]) -> Rotation | None:
    """Return the exchange that this login is one half of."""
    by_id = {str(login.id): login for login in logins}
    after = next((login for login in logins if login.spec.get("predecessor") == str(child.id)), None)
    if after is not None:
        return Rotation(child, after)
    before = by_id.get(str(child.spec.get("predecessor")))
    return Rotation(before, child) if before is not None else None
