"""Waits, without Django, until there is a Kubernetes cluster, and becomes ``manage.py watchclusters`` then.

Run by ``up`` as ``python -m portal.instance.watch``: an instance without such a cluster pays a few megabytes for it.
"""

import os
import time

import psycopg

from portal.bootstrap.paths import data_directory, run_directory
from portal.instance.commands import ROOT, manage

LOOK_SECONDS = 5.0
_ANY = "SELECT 1 FROM clusters_cluster WHERE kind = 'kubernetes' AND enabled LIMIT 1"


def main() -> None:
    embedded = f"host={run_directory(data_directory(ROOT))} dbname=archipel user=archipel"
    while not is_needed(os.environ.get("DATABASE_URL", embedded)):
        time.sleep(LOOK_SECONDS)
    command = manage("watchclusters")
    os.execv(command[0], command)  # noqa: S606 - our own command; the process stays the one that ``up`` keeps


def is_needed(database: str) -> bool:
    """Whether there is a Kubernetes cluster to watch. A database that is away, or still empty, knows none."""
    try:
        with psycopg.connect(database, connect_timeout=5) as connection:
            return connection.execute(_ANY).fetchone() is not None
    except psycopg.Error:
        return False


if __name__ == "__main__":
    main()
