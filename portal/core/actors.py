"""Who does something: the one value that every action takes first and every audit row keeps."""

import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a machine or the platform itself, as seen by actions, access functions and audit.

    ``kind`` is ``user``, ``service_account`` or ``system``. ``scopes`` narrows what a token may do; None means the
    actor may do all that its roles allow.
    """

    kind: str
    id: uuid.UUID | None
    label: str
    is_operator: bool = False
    scopes: frozenset[str] | None = None
    token_id: uuid.UUID | None = None
    address: str = ""
    request_id: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    is_support: bool = False


SYSTEM = Actor(kind="system", id=None, label="Archipel")
