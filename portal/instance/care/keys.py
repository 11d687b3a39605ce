"""``manage.py rotatekeys``: a new encryption key, everything sealed anew under it, and the old ones dropped.

Each row is rewritten only where it still holds what was read, so a write beside it is never lost; a row that is missed
that way is found by the next pass. Nothing is remembered between two runs: what is left shows in the rows themselves.
"""

import contextlib
import datetime
import fcntl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.utils.module_loading import import_string

from portal.audit.actions import record
from portal.bootstrap.say import say as speak
from portal.core import vault
from portal.core.actors import SYSTEM
from portal.instance.failed import Failed

BATCH = 200
PASSES = 20
LONGEST_REQUEST = 60.0  # seconds (gunicorn's --timeout in instance/commands.py; a task has 45)
PATIENCE = datetime.timedelta(seconds=90)  # a request or task may take so long between sealing and committing
Reseal = Callable[[str], str]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the keys: no backup while they are rotated, no rotation while a backup needs them as they are."""
    settings.ENCRYPTION_KEYS.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with settings.ENCRYPTION_KEYS.with_suffix(".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            speak("waiting for a backup or a rotation of keys to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- what is sealed --------------------------------------------------------------------------------------------------


def columns() -> list[tuple[type[models.Model], str]]:
    """Return every column of sealed text: a ``SealedText`` of any model of any app."""
    return [
        (model, field.attname)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, vault.SealedText) and not model._meta.proxy
    ]


def elsewhere() -> list[Callable[[Reseal], Counter[int]]]:
    """Return what seals elsewhere than in such a column: ``settings.SEALED_ELSEWHERE`` names the functions.

    Each gets ``reseal(text) -> text``, rewrites what differs where it still is as it was read, and returns how many
    texts it then found under which key.
    """
    return [import_string(name) for name in settings.SEALED_ELSEWHERE]


def census() -> Counter[int]:
    """Return how many texts are sealed under which key now; -1 counts what is no sealed text."""
    found: Counter[int] = Counter()
    for model, name in columns():
        values = model._base_manager.exclude(**{name: ""}).exclude(**{name: None}).values_list(name, flat=True)
        found.update(_version(text) for text in values.iterator(BATCH))
    for visit in elsewhere():
        found.update(visit(lambda text: text))
    return found


def _version(text: str) -> int:
    try:
        return vault.version_of(text)
    except vault.Unreadable:
        return -1


# ---- sealing anew ----------------------------------------------------------------------------------------------------


def rotate(*, new_key: bool, drop_old: bool, say: Callable[[str], None]) -> Counter[int]:
    """Make a key where asked to, seal everything under the newest, and drop the older ones where asked to.

    Raises Failed where a text can't be read, or keeps coming back under an old key.
    """
    with alone():
        if new_key:
            before = vault.newest()
            record(actor=SYSTEM, action="keys.added", target_kind="portal", changes={"key": [before, before + 1]})
            say(f"key {vault.add_key()} is in use")
        found = _until_all_new(_database_time(), say)
        if drop_old:
            say("waiting a minute: whoever has read a text under an older key may still write it back")
            time.sleep(LONGEST_REQUEST)
            found = _until_all_new(_database_time(), say)
        dropped = vault.drop_keys_below(vault.newest()) if drop_old else []
        changes: dict[str, Any] = {"key": [None, vault.newest()], "dropped": [dropped, None]}
        record(actor=SYSTEM, action="keys.rotated", target_kind="portal", changes=changes)
        return found


def _until_all_new(since: datetime.datetime, say: Callable[[str], None]) -> Counter[int]:
    """Pass over everything until nothing is sealed under an older key, and nothing can come in under one any more."""
    for _number in range(PASSES):
        changed = reseal_all()
        if changed:
            say(f"{changed} texts sealed anew")
        _await_older_transactions(since)
        found = census()
        if not any(version != vault.newest() for version in found):
            return found
    raise Failed(f"texts are still sealed under older keys: {dict(found)}. Nothing was dropped; run it again.")


def reseal_all() -> int:
    """Seal every text anew that is under an older key; return how many were."""
    counted = Counter({"changed": 0})

    def reseal(text: str) -> str:
        if vault.version_of(text) == vault.newest():
            return text
        counted["changed"] += 1
        return vault.seal(vault.unseal(text))

    for model, name in columns():
        try:
            _reseal_column(model, name, reseal)
        except vault.Unreadable as error:
            raise Failed(f"{model._meta.label}.{name} holds a text that no key opens: {error}") from error
    for visit in elsewhere():
        try:
            visit(reseal)
        except vault.Unreadable as error:
            raise Failed(f"{visit.__module__}.{visit.__name__} found a text that no key opens: {error}") from error
    return counted["changed"]


def _reseal_column(model: type[models.Model], name: str, reseal: Reseal) -> None:
    """Walk a table by its key. Each row is a transaction of its own, so nothing waits for us and a kill undoes one."""
    rows = model._base_manager.exclude(**{name: ""}).exclude(**{name: None}).order_by("pk")
    last: Any = None
    while batch := list((rows if last is None else rows.filter(pk__gt=last)).values_list("pk", name)[:BATCH]):
        for key, text in batch:
            sealed = reseal(text)
            if sealed != text:
                model._base_manager.filter(pk=key, **{name: text}).update(**{name: sealed})
        last = batch[-1][0]


def _database_time() -> datetime.datetime:
    """Return the time by the database's clock, which its transactions are dated by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime.datetime = cursor.fetchone()[0]
    return now


def _await_older_transactions(since: datetime.datetime) -> None:
    """Wait for those that began before the key was there: what they sealed under the old one is not to be seen yet."""
    end = time.monotonic() + PATIENCE.total_seconds()
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
                " AND pid <> pg_backend_pid() AND xact_start < %s",
                [since],
            )
            if cursor.fetchone()[0] == 0:
                return
        time.sleep(0.1)
    raise Failed("a transaction has been open since before the key was made; nothing was dropped, run it again later")
