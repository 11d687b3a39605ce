"""``manage.py up``: one instance, from an empty directory to the ready line, and back to nothing running.

Knows no Django: what needs it runs in children, so that the portal's processes start at once and this one stays small.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from portal.bootstrap import running
from portal.bootstrap.say import say
from portal.instance.failed import Failed
from portal.instance.lifecycle import Instance
from portal.instance.ownership import own
from portal.instance.stopping import Stop, call_on_signals, stop_on_signals


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``up``."""
    parser.add_argument("--data", metavar="DIR", help="the directory that holds everything (default: .archipel)")
    parser.add_argument("--port", type=int, default=running.port_from(None), help="on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--adopt", action="store_true", help=argparse.SUPPRESS)  # the guardian's: take over what runs


def main(root: Path, data: Path, arguments: list[str]) -> NoReturn:
    """Serve until stopped, then end the process."""
    parser = argparse.ArgumentParser(prog="manage.py up")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    os.chdir(root)
    with own(data, options.port):
        raise SystemExit(serve(Instance(root, data, options.port), adopt=options.adopt))


def serve(instance: Instance, *, adopt: bool) -> int:
    """Run an instance between its start and a signal; return the exit code."""
    code = 0
    stop_on_signals()
    try:
        instance.start(adopt=adopt)
        _print(f"Archipel is ready: http://{running.HOST}:{instance.port}/")
        instance.keep_running()
    except Stop:
        say("stopping")
    except Failed as error:
        say(f"archipel: {error}")
        code = 1
    finally:
        call_on_signals(instance.hurry)
        instance.stop()
    return code


def _print(line: str) -> None:
    """Write to stdout, whose reader may have gone."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:
        say(line)
