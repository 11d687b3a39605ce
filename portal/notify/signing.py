"""Secrets and signatures of webhooks, as Standard Webhooks 1.0.0 has them."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32  # the standard: 24 to 64


def new_secret() -> str:
    """Return a new secret as a receiver types it in."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def signatures(secrets_: Iterable[str], *, id_: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature``: one signature for each secret that is in force, the newest first."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets_)


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
