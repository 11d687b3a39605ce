"""Asks further up who people are: this layer has their ids alone. Settings name who answers (``AUDIENCE``)."""

import uuid
from collections.abc import Collection, Mapping
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string


class Audience(Protocol):
    """Knows people, organizations and roles."""

    def people(self, organization_id: uuid.UUID, permission: str) -> list[uuid.UUID]:
        """Return the active people who have a permission in an organization."""
        ...

    def addresses(self, people: Collection[uuid.UUID]) -> Mapping[uuid.UUID, str]:
        """Return the mail address of each of these people who is active; service accounts have none."""
        ...


def audience() -> Audience:
    return cast(Audience, import_string(settings.AUDIENCE)())
