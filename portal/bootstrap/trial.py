"""The data directory of a test run: given by ``ARCHIPEL_TEST_DATA``, else a fresh one that goes away with the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.bootstrap.account import Account

MARK = "ARCHIPEL_TEST_RUN"  # carries a fresh directory's path over the change of interpreter
SHARED_CACHE = Path("/var/cache/archipel")
CACHES = {"ARCHIPEL_PACKAGES": "packages", "ARCHIPEL_CONTROL_PLANE": "control-plane"}  # engines; Kubernetes


def settle(account: Account | None) -> Path:
    """Return the directory of this run, and set where what was fetched and built is kept between runs."""
    for variable in CACHES:
        set_cache(variable, account)
    given = os.environ.get("ARCHIPEL_TEST_DATA") or os.environ.get(MARK)
    if given:
        return Path(given).absolute()
    import tempfile  # slow, and of use to this command alone

    fresh = tempfile.mkdtemp(prefix="archipel-test-")
    if account:
        os.chown(fresh, account.uid, account.gid)
    os.environ[MARK] = fresh
    return Path(fresh)


def set_cache(variable: str, account: Account | None) -> None:
    """Name a cache that outlives the run in its variable: the user's, or as root one that belongs to the account."""
    caches = SHARED_CACHE if account else Path(os.environ.get("HOME", "/")) / ".cache" / "archipel"
    if variable not in os.environ and _make(caches / CACHES[variable], account):
        os.environ[variable] = str(caches / CACHES[variable])


def _make(cache: Path, account: Account | None) -> bool:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if account:
            os.chown(cache, account.uid, account.gid)
    except OSError:
        return False
    return True
