"""One ``up`` at a time owns a data directory: a lock, a record of who it is, and directories of the right modes."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.bootstrap import paths, running
from portal.bootstrap.layout import lay_out
from portal.bootstrap.say import refuse
from portal.instance.proc import identity

NO_PORT = 0  # in the record of a command that serves nothing

RESTORING = "restoring"  # lies in a data directory for as long as a restore fills it


@contextmanager
def own(data: Path, port: int, *, wait: bool = False, half_restored: bool = False) -> Iterator[None]:
    """Own the instance for the time of the block; where another process does, wait for its end or end this one.

    One that a restore has left half is refused to all but those that make it whole or take it away.
    """
    _refuse_other_account(data)
    if not half_restored and is_half_restored(data):
        refuse(f"a restore into {data} was cut off: run it again with the same file, or manage.py reset")
    lay_out(data)
    with (data / "run" / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            running.refuse_second(data)
            refuse(f"another command is at work in {data}: try again when it has ended")
        record = data / "run" / "up.json"
        me = identity(os.getpid())
        record.write_text(json.dumps({"pid": me.pid, "start": me.start, "port": port}))
        make_run_directory(data)
        try:
            yield
        finally:
            record.unlink(missing_ok=True)


def make_run_directory(data: Path) -> Path:
    """Make the directory for sockets. It lies in /tmp, where somebody else might have been faster."""
    directory = paths.run_directory(data)
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if status.st_uid != os.getuid() or directory.is_symlink():
        refuse(f"{directory} belongs to another account: have it removed, or choose another directory with --data.")
    directory.chmod(0o700)
    return directory


def is_half_restored(data: Path) -> bool:
    """Whether a restore has begun here and has not come to its end."""
    return (data / RESTORING).exists()


def _refuse_other_account(data: Path) -> None:
    if data.exists() and data.stat().st_uid != os.getuid():
        owner = data.stat().st_uid
        refuse(f"{data} belongs to uid {owner}: run this as that account, or choose another directory with --data.")
