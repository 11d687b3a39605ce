"""``manage.py devcluster up|down``: a Kubernetes control plane to try the portal on; the tests' own does the work."""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from portal.bootstrap.options import take
from portal.bootstrap.say import refuse

NAME = "devcluster"


def main(root: Path, data: Path, arguments: list[str]) -> NoReturn:
    """Run the command in ``tests/``, with a directory inside the instance's where none is given; end with its code."""
    if not (root / "tests" / "cluster").is_dir():
        refuse("there is no tests/cluster here: a development cluster needs the source tree")
    raise SystemExit(run(root, data, arguments))


def run(root: Path, data: Path, arguments: list[str]) -> int:
    """Return the exit code of the command, which no part of the portal may import."""
    words, directory = take(arguments, "--directory")
    command = [sys.executable, "-m", "tests.cluster.devcluster", *words, "--directory", directory or str(data / NAME)]
    try:
        return subprocess.run(command, cwd=root, check=False).returncode
    except KeyboardInterrupt:
        return 130


def stop(root: Path, data: Path) -> bool:
    """Stop the one inside an instance's directory, if there is one. Return whether nothing of it runs."""
    return not (data / NAME / "pids.json").exists() or run(root, data, ["down"]) == 0
