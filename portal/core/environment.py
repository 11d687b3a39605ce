"""Reads settings from the environment."""

import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def boolean(name: str, *, default: bool = False) -> bool:
    """Return whether an environment variable says yes; ``default`` where it is not set."""
    value = os.environ.get(name)
    return default if value is None else value.lower() in ("1", "true", "yes", "on")


def items(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated variable as a list."""
    value = os.environ.get(name)
    return default if value is None else [item.strip() for item in value.split(",") if item.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return a comma-separated variable as networks; an address is one too. Raises ImproperlyConfigured."""
    try:
        return [ip_network(item, strict=False) for item in items(name, [])]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}. Give addresses or networks, such as 10.0.0.0/8.") from error


def families(folder: Path) -> list[str]:
    """Return the apps under ``apps/``: what is sold is found, not listed."""
    return [f"{folder.name}.{config.parent.name}" for config in sorted(folder.glob("*/apps.py"))]


def secret_key(file: Path, *, required: bool) -> str:
    """Return SECRET_KEY: given, or an embedded instance's own, made on first use."""
    if given := os.environ.get("SECRET_KEY"):
        return given
    if required:
        raise ImproperlyConfigured("SECRET_KEY is not set: give 50 or more random characters in the environment.")
    try:
        return file.read_text(encoding="ascii")
    except FileNotFoundError:
        pass
    except OSError:
        return secrets.token_urlsafe(48)  # another account's instance: nothing signed here will be believed there
    return _new_secret(file)


def _new_secret(file: Path) -> str:
    """Write a new secret unless another process was faster; return the one that is there."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return file.read_text(encoding="ascii")
    except OSError:
        return secrets.token_urlsafe(48)


def database(url: str | None, *, socket: Path) -> dict[str, Any]:
    """Return Django's settings for a ``postgresql://`` URL, or for an embedded instance's own server."""
    common: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"NAME": os.environ.get("TEST_DATABASE")},
    }
    if url is None:
        return {**common, "NAME": "archipel", "USER": "archipel", "HOST": str(socket)}
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ImproperlyConfigured("DATABASE_URL must begin with postgresql://")
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    host = options.pop("host", None) or unquote(parts.hostname or "")
    return {
        **common,
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }
