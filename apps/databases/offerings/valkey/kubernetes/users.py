"""Logins as the operator takes them: names and patterns in fields, commands as the raw rules, whose order counts."""

from typing import Any, cast

from apps.databases.offerings.valkey import acl
from apps.databases.offerings.valkey.spec import UserSpec
from portal.core.drivers import ChildView, View
from portal.core.drivers.kubernetes import ClusterSecret, secret_name

# The operator leaves ``default`` as open as the engine has it unless it is named. Off, and yet with all rights: engines
# up to 8.1 replay their log with its rights.
_DEFAULT: dict[str, Any] = {"name": "default", "enabled": False, "permissions": "resetpass ~* &* +@all"}


def secrets(view: View) -> list[ClusterSecret]:
    """Return the password of each login."""
    made = [acl.user_secret(user) for user in acl.living(view)]
    return [ClusterSecret(one.name, one.keys, one.rotation, one.length) for one in made]


def users(view: View) -> list[dict[str, Any]]:
    """Return all logins. One that goes is no longer named, and the operator takes it away."""
    return [dict(_DEFAULT), *(_user(view, user) for user in acl.living(view))]


def _user(view: View, user: ChildView) -> dict[str, Any]:
    spec, secret = cast(UserSpec, user.spec), acl.user_secret(user)
    found: dict[str, Any] = {
        "name": acl.checked(user.name),
        "enabled": True,
        "passwordSecret": {"name": secret_name(view.handle, secret.name), "keys": list(secret.keys)},
        "permissions": " ".join(acl.COMMANDS[spec.access]),
    }
    if spec.keys:
        found["keys"] = {"readWrite": [acl.checked(key) for key in spec.keys]}
    if spec.channels:
        found["channels"] = {"patterns": [acl.checked(channel) for channel in spec.channels]}
    return found
