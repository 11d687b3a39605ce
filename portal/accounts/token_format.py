"""The form of API tokens: ``arc_``, 30 random base62 characters (178 bits) and their CRC32 in 6 more.

The checksum lets a secret scanner, and authentication itself, tell a token from a look-alike without a database.
"""

import re
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIX = "arc_"
RANDOM_LENGTH = 30
CHECKSUM_LENGTH = 6
HINT_LENGTH = len(PREFIX) + 4
_TOKEN = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{RANDOM_LENGTH}}})([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})")


def new_token() -> str:
    """Return a fresh token in plain text."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return f"{PREFIX}{body}{checksum(body)}"


def looks_like_token(text: str) -> bool:
    """Tell whether ``text`` is whole and its checksum fits; says nothing about whether it was ever given out."""
    match = _TOKEN.fullmatch(text)
    return match is not None and checksum(match[1]) == match[2]


def checksum(body: str) -> str:
    """Return the CRC32 of the random part in base62, padded with zeros to six characters."""
    number, characters = zlib.crc32(body.encode()), []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[digit])
    return "".join(reversed(characters))


def hint(token: str) -> str:
    """Return the first characters, which lists show so that a person recognizes the token."""
    return token[:HINT_LENGTH]
