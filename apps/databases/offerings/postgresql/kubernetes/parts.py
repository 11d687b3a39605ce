"""Databases and users as the operator's own objects.

They are named before the cluster, so that they go after it: once that is gone, its operator lets go of them. The other
way round they would wait for a PostgreSQL that may be stopped.
"""

from typing import Any, cast

from apps.databases.offerings.postgresql.kubernetes.kinds import DATABASE, ROLE, child_name
from apps.databases.offerings.postgresql.local import user_secret
from apps.databases.offerings.postgresql.spec import DatabaseSpec, UserSpec
from apps.databases.offerings.postgresql.sql import OWNER
from portal.core.drivers import ChildView, View
from portal.core.drivers.kubernetes import ClusterSecret, Manifest, manifest, secret_name

_GROUPS = {
    "owner": [OWNER, "pg_read_all_stats", "pg_signal_backend"],
    "write": ["pg_read_all_data", "pg_write_all_data"],
    "read": ["pg_read_all_data"],
}


def secrets(view: View) -> list[ClusterSecret]:
    """Return the password of each login, as the operator reads it: a change of it is taken up at once."""
    return [_secret(user) for user in view.of_kind("users") if not user.deleting]


def _secret(user: ChildView) -> ClusterSecret:
    made = user_secret(user)
    return ClusterSecret(
        made.name,
        made.keys,
        made.rotation,
        made.length,
        type="kubernetes.io/basic-auth",
        plain={"username": user.name},
        labels={"cnpg.io/reload": "true"},
    )


def roles(view: View) -> list[Manifest]:
    return [manifest(ROLE, child_name(view.handle, user), _role(view, user)) for user in view.of_kind("users")]


def _role(view: View, user: ChildView) -> dict[str, Any]:
    """Return a login. One that goes is locked and loses its rights; dropping it would fail while anything names it."""
    spec = cast(UserSpec, user.spec)
    found: dict[str, Any] = {
        "cluster": {"name": view.handle},
        "name": user.name,
        "login": not user.deleting,
        "connectionLimit": -1 if spec.connection_limit is None else spec.connection_limit,
        "databaseRoleReclaimPolicy": "retain",
    }
    if user.deleting:
        return {**found, "inRoles": [], "disablePassword": True}
    password = {"name": secret_name(view.handle, user_secret(user).name)}
    return {**found, "inRoles": list(_GROUPS[spec.access]), "passwordSecret": password}


def databases(view: View) -> list[Manifest]:
    """Return all databases. One that goes is dropped by being asked to be absent, and its object leaves after that."""
    return [manifest(DATABASE, child_name(view.handle, one), _database(view, one)) for one in view.of_kind("databases")]


def _database(view: View, database: ChildView) -> dict[str, Any]:
    spec = cast(DatabaseSpec, database.spec)
    found: dict[str, Any] = {
        "cluster": {"name": view.handle},
        "name": database.name,
        "owner": OWNER,
        "ensure": "absent" if database.deleting else "present",
        "databaseReclaimPolicy": "retain",
    }
    if spec.extensions:
        found["extensions"] = [{"name": name, "schema": "public"} for name in sorted(spec.extensions)]
    return found
