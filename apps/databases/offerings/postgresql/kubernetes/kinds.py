"""The kinds that CloudNativePG and its Barman Cloud plugin serve, and how a service's objects are called."""

from portal.core.drivers import ChildView
from portal.core.drivers.kubernetes import NETWORK_POLICY, SERVICE, ObjectKind

_GROUP = "postgresql.cnpg.io"

CLUSTER = ObjectKind(_GROUP, "v1", "Cluster", "clusters")
ROLE = ObjectKind(_GROUP, "v1", "DatabaseRole", "databaseroles")
DATABASE = ObjectKind(_GROUP, "v1", "Database", "databases")
POOLER = ObjectKind(_GROUP, "v1", "Pooler", "poolers")
BACKUP = ObjectKind(_GROUP, "v1", "Backup", "backups")
SCHEDULED_BACKUP = ObjectKind(_GROUP, "v1", "ScheduledBackup", "scheduledbackups")
OBJECT_STORE = ObjectKind("barmancloud.cnpg.io", "v1", "ObjectStore", "objectstores")
BUCKET_CLAIM = ObjectKind("objectbucket.io", "v1alpha1", "ObjectBucketClaim", "objectbucketclaims")

KINDS = (
    CLUSTER,
    ROLE,
    DATABASE,
    POOLER,
    BACKUP,
    SCHEDULED_BACKUP,
    OBJECT_STORE,
    BUCKET_CLAIM,
    SERVICE,
    NETWORK_POLICY,
)
OF_STORE = (OBJECT_STORE, BUCKET_CLAIM)  # needed where backups are kept
OPERATOR = "CloudNativePG 1.30.0 with the Barman Cloud plugin 0.14.0, cert-manager, and Rook 1.20 for its bucket claims"
PLUGIN = "barman-cloud.cloudnative-pg.io"


def child_name(handle: str, child: ChildView) -> str:
    """Name a part's object. A backup's spec never changes, so each try of it is an object of its own."""
    attempt = f"-{child.generation}" if child.kind == "backups" else ""
    return f"{handle}-{child.id.hex}{attempt}"


def pooler_name(handle: str) -> str:
    return f"{handle}-pooler"


def bucket_name(handle: str) -> str:
    """Name a service's bucket, and the Secret with the keys to it, which its claim makes."""
    return f"{handle}-backups"
