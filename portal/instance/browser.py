"""The browser that the tests drive: one that is installed, else Debian's Chromium, fetched like an engine."""

import os
from pathlib import Path

from portal.bootstrap.say import say
from portal.clusters.backends.local.packages import PackageFetchFailed, ensure
from portal.instance.failed import Failed

INSTALLED = Path("/usr/bin/chromium")


def chromium(prefix: Path) -> Path:
    """Return Chromium's executable. Raises Failed, with a line that says why none can be had here."""
    given = os.environ.get("ARCHIPEL_CHROMIUM")
    if given:
        return Path(given)
    if os.access(INSTALLED, os.X_OK):
        return INSTALLED
    try:
        return ensure("chromium", say, prefix=prefix) / "bin" / "chromium"
    except PackageFetchFailed as error:
        raise Failed(str(error)) from error
