"""Slugs of organizations and projects: given by a person, or made from a name and tried until one is free."""

import secrets
from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from portal.core import texts
from portal.core.errors import FieldError, invalid
from portal.projects.access import SLUG

Made = TypeVar("Made")
TRIES = 5
RESERVED = frozenset({"new"})  # stands in a path of the console


def with_free_slug(name: str, slug: str | None, make: Callable[[str, str], Made]) -> Made:
    """Call ``make(name, slug)`` in a transaction and return what it made; a made-up slug gives way where it is taken.

    Raises Problem ``invalid_arguments``: no name, a slug of the wrong form, or one that is taken.
    """
    name = name.strip()
    _check(name, slug)
    candidates = [slug] if slug is not None else _candidates(name)
    for candidate in candidates:
        if candidate in RESERVED:
            continue
        try:
            with transaction.atomic():
                return make(name, candidate)
        except IntegrityError:
            continue
    raise invalid(FieldError("/slug", "taken", _("“%(slug)s” is taken. Choose another one.") % {"slug": candidates[0]}))


def name_errors(pointer: str, name: str) -> list[FieldError]:
    """Return what is wrong with a name, at its pointer: its characters or its length, without the spaces around it."""
    name = name.strip()
    errors = texts.errors(pointer, name)
    if not 0 < len(name) <= 120:
        errors.append(FieldError(pointer, "length", _("Give it a name of at most 120 characters.")))
    return errors


def _check(name: str, slug: str | None) -> None:
    errors = name_errors("/name", name)
    if slug is not None and not SLUG.fullmatch(slug):
        detail = _("Use lower-case letters, digits and hyphens, at most 63, beginning with a letter.")
        errors.append(FieldError("/slug", "pattern", detail))
    if errors:
        raise invalid(*errors)


def _candidates(name: str) -> list[str]:
    """Return the slug that a name suggests, then ones with a random tail."""
    base = slugify(name).replace("_", "-").lstrip("-0123456789")[:57].strip("-") or "project"
    return [base, *(f"{base}-{secrets.token_hex(2)}" for _try in range(TRIES))]
