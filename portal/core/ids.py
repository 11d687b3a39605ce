"""Public ids: a prefix and the 26 Crockford base32 characters of a UUIDv7; and handles, which name backend objects.

Rows hold the UUID; only URLs, API bodies and audit lines show the prefixed form, and only that form is accepted back.
"""

import functools
import re
import secrets
import uuid

import uuid_utils.compat

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32: no I, L, O, U
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_PUBLIC_ID = re.compile(r"([a-z]+)_([0-7][0-9A-HJKMNP-TV-Z]{25})")
HANDLE_LENGTH = 12
_HANDLE_FIRST = "abcdefghijklmnopqrstuvwxyz"
_HANDLE_REST = _HANDLE_FIRST + "234567"


def uuid7() -> uuid.UUID:
    """Return a new time-ordered UUID (RFC 9562, version 7)."""
    return uuid_utils.compat.uuid7()


@functools.lru_cache(4096)  # a page says the same ids in many addresses
def encode(prefix: str, value: uuid.UUID) -> str:
    """Return the public form of ``value``, such as ``svc_01JB7Q8W5T9X3M4K2N6P7R8S9V``."""
    number, characters = value.int, []
    for _ in range(26):
        number, digit = divmod(number, 32)
        characters.append(ALPHABET[digit])
    return f"{prefix}_{''.join(reversed(characters))}"


def decode(prefix: str, text: str) -> uuid.UUID | None:
    """Return the UUID behind a public id, or None where ``text`` is no id with this prefix."""
    match = _PUBLIC_ID.fullmatch(text)
    if match is None or match[1] != prefix:
        return None
    number = 0
    for character in match[2]:
        number = number * 32 + _VALUES[character]
    return uuid.UUID(int=number)


def new_handle() -> str:
    """Return 12 random base32 characters that start with a letter, fit for host and Kubernetes names (RFC 1035)."""
    return secrets.choice(_HANDLE_FIRST) + "".join(secrets.choice(_HANDLE_REST) for _ in range(HANDLE_LENGTH - 1))
