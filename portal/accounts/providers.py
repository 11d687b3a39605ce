"""Reads which identity providers the operator lets people sign in with; ``portal.settings`` asks.

``OIDC_PROVIDERS`` is a JSON list or the path of a file that holds one. Nothing here needs Django's apps.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
KNOWN = {"id", "name", "issuer", "client_id", "client_secret", "client_secret_env", "client_secret_file", "domains"}


def provider_apps(environ: Mapping[str, str] = os.environ) -> list[dict[str, Any]]:
    """Return the providers as allauth's ``openid_connect`` wants them. Raises ImproperlyConfigured."""
    given = environ.get("OIDC_PROVIDERS", "").strip()
    if not given:
        return []
    entries = _parsed(given if given.startswith("[") else _read(given, "OIDC_PROVIDERS"))
    apps = [_app(entry, environ) for entry in entries]
    if len({app["provider_id"] for app in apps}) != len(apps):
        raise ImproperlyConfigured("OIDC_PROVIDERS: two providers have the same id")
    return apps


def _parsed(text: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"OIDC_PROVIDERS is not JSON: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ImproperlyConfigured("OIDC_PROVIDERS must be a list of objects")
    return entries


def _app(entry: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    key = str(entry.get("id", ""))
    if not ID.fullmatch(key):
        raise ImproperlyConfigured("OIDC_PROVIDERS: each provider has an id of lower-case letters, digits and hyphens")
    if unknown := entry.keys() - KNOWN:
        raise ImproperlyConfigured(f"OIDC_PROVIDERS, {key}: nothing is known of {', '.join(sorted(unknown))}")
    if not entry.get("client_id"):
        raise ImproperlyConfigured(f"OIDC_PROVIDERS, {key}: client_id is missing")
    settings = {"server_url": _issuer(key, entry), "domains": _domains(key, entry), "oauth_pkce_enabled": True}
    return {
        "provider_id": key,
        "name": str(entry.get("name") or key),
        "client_id": str(entry["client_id"]),
        "secret": _secret(key, entry, environ),
        "settings": settings,
    }


def _issuer(key: str, entry: dict[str, Any]) -> str:
    """Return the issuer's address; plain HTTP only for one on this machine."""
    issuer = str(entry.get("issuer", "")).rstrip("/")
    parts = urlsplit(issuer)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1")):
        raise ImproperlyConfigured(f"OIDC_PROVIDERS, {key}: issuer must be an https:// address")
    return issuer


def _domains(key: str, entry: dict[str, Any]) -> list[str]:
    """Return the mail domains that this provider is believed about. None at all would mean nobody, so it is refused."""
    domains = entry.get("domains")
    if not isinstance(domains, list) or not domains or not all(DOMAIN.fullmatch(str(name).lower()) for name in domains):
        raise ImproperlyConfigured(f"OIDC_PROVIDERS, {key}: domains must be a list of mail domains such as example.org")
    return sorted({str(name).lower() for name in domains})


def _secret(key: str, entry: dict[str, Any], environ: Mapping[str, str]) -> str:
    if name := entry.get("client_secret_env"):
        found = environ.get(str(name), "")
    elif path := entry.get("client_secret_file"):
        found = _read(str(path), f"OIDC_PROVIDERS, {key}: client_secret_file").strip()
    else:
        found = str(entry.get("client_secret", ""))
    if not found:
        raise ImproperlyConfigured(f"OIDC_PROVIDERS, {key}: no client secret")
    return found


def _read(path: str, what: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ImproperlyConfigured(f"{what}: {error}") from error
