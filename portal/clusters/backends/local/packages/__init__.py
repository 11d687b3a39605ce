"""Engine packages: what may be fetched, and ``ensure``, which fetches it once. Standard library only, no database.

Called by the supervisor before it starts an engine, and by ``manage.py up`` for the portal's own database and broker.
"""

from portal.clusters.backends.local.packages.catalogue import CATALOGUE, Package, Source, package
from portal.clusters.backends.local.packages.fetch import Progress, ensure, installed
from portal.clusters.backends.local.packages.host import PackageFetchFailed, available, unavailable_reason

__all__ = [
    "CATALOGUE",
    "Package",
    "PackageFetchFailed",
    "Progress",
    "Source",
    "available",
    "ensure",
    "installed",
    "package",
    "unavailable_reason",
]
