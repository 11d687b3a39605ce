"""The data directory of a test run: given by ``ARCHIPEL_TEST_DATA``, else a fresh one that goes away with the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.bootstrap.account import Account

MARK = "ARCHIPEL_TEST_RUN"  # carries a fresh directory's path over the change of interpreter
SHARED_CACHE = Path("/var/cache/archipel/packages")


def settle(account: Account | None) -> Path:
    """Return the directory of this run, and set where its engine packages are kept between runs."""
    packages = _packages(account)
    if packages and "ARCHIPEL_PACKAGES" not in os.environ:
        os.environ["ARCHIPEL_PACKAGES"] = str(packages)
    given = os.environ.get("ARCHIPEL_TEST_DATA") or os.environ.get(MARK)
    if given:
        return Path(given).absolute()
    import tempfile  # slow, and of use to this command alone

    fresh = tempfile.mkdtemp(prefix="archipel-test-")
    if account:
        os.chown(fresh, account.uid, account.gid)
    os.environ[MARK] = fresh
    return Path(fresh)


def _packages(account: Account | None) -> Path | None:
    """Return a cache that outlives the run: the user's, or as root one that belongs to the account."""
    cache = SHARED_CACHE if account else Path(os.environ.get("HOME", "/")) / ".cache" / "archipel" / "packages"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if account:
            os.chown(cache, account.uid, account.gid)
    except OSError:
        return None
    return cache
