"""Fetch packages from a process of its own: ``python -m portal.clusters.backends.local.packages PREFIX KEY…``.

The supervisor runs it so, because a fetch takes long and must be stoppable. Progress lines go to standard output.
"""

import sys
from pathlib import Path

from portal.clusters.backends.local.packages.fetch import ensure
from portal.clusters.backends.local.packages.host import PackageFetchFailed


def main(prefix: str, *keys: str) -> int:
    """Fetch each key; the cause of a failure is the last line on standard error."""
    try:
        for key in keys:
            ensure(key, _say, prefix=Path(prefix))
    except PackageFetchFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
