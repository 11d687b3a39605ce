"""Keys change while others write: no secret is lost, none stays under a key that goes, a kill costs time only."""

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, connections, models, transaction
from pytest_django import Settings

from portal.audit.models import AuditEvent
from portal.core import vault
from portal.instance.care import keys

ROWS = 450  # more than two batches
pytestmark = pytest.mark.django_db(transaction=True)
columns = keys.columns


class Safe(models.Model):
    """A table of secrets as any app may have one."""

    secret = vault.SealedText(blank=True)

    class Meta:
        app_label = "tests_of_keys"
        managed = False

    def __str__(self) -> str:
        return str(self.pk)


@pytest.fixture(autouse=True)
def safe(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.ENCRYPTION_KEYS = tmp_path / "keys" / "encryption.json"
    settings.SEALED_ELSEWHERE = []
    monkeypatch.setattr(keys, "LONGEST_REQUEST", 0.0)
    monkeypatch.setattr(keys, "columns", lambda: [(Safe, "secret")])
    with connection.schema_editor() as editor:
        editor.create_model(Safe)
    Safe.objects.bulk_create([*(Safe(secret=vault.seal(f"secret {n}")) for n in range(ROWS)), Safe(secret="")])
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(Safe)


def opened() -> list[str]:
    return [
        vault.unseal(text) for text in Safe.objects.exclude(secret="").order_by("pk").values_list("secret", flat=True)
    ]


def rotate(*, new_key: bool = True, drop_old: bool = False) -> Counter[int]:
    return keys.rotate(new_key=new_key, drop_old=drop_old, say=lambda line: None)


def test_everything_is_sealed_anew_and_the_old_key_goes_only_when_asked() -> None:
    assert keys.census() == {1: ROWS}

    assert rotate() == {2: ROWS}
    assert opened() == [f"secret {n}" for n in range(ROWS)]
    assert rotate(new_key=False, drop_old=True) == {2: ROWS}

    assert opened() == [f"secret {n}" for n in range(ROWS)]
    with pytest.raises(vault.Unreadable):
        vault.unseal("v1.gAAAAAB")
    assert list(AuditEvent.objects.order_by("id").values_list("action", flat=True)) == [
        "keys.added",
        "keys.rotated",
        "keys.rotated",
    ]


def test_every_sealed_column_of_every_app_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "columns", columns)
    installed = [*apps.get_models(), Safe]
    monkeypatch.setattr(apps, "get_models", lambda: installed)
    assert (Safe, "secret") in keys.columns()
    assert all(isinstance(model._meta.get_field(name), vault.SealedText) for model, name in keys.columns())


def test_a_text_that_is_written_meanwhile_is_kept() -> None:
    """Between the read and the write of a row somebody else writes it: theirs stays."""
    first = Safe.objects.order_by("pk").first()
    assert first
    vault.add_key()
    theirs = vault.seal("theirs")

    def reseal(text: str) -> str:
        Safe.objects.filter(pk=first.pk).update(secret=theirs)
        return vault.seal(vault.unseal(text))

    keys._reseal_column(Safe, "secret", reseal)
    first.refresh_from_db()
    assert first.secret == theirs


def test_what_was_sealed_under_the_old_key_and_commits_late_is_not_lost() -> None:
    """A transaction that has sealed before the key was there holds the rotation up until it has ended."""
    begun, go_on = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with transaction.atomic():
                Safe.objects.create(secret=vault.seal("late"))
                begun.set()
                go_on.wait(20)
        finally:
            connections.close_all()

    writer = threading.Thread(target=late)
    writer.start()
    assert begun.wait(10)
    threading.Timer(1.0, go_on.set).start()

    assert rotate(drop_old=True) == {2: ROWS + 1}

    writer.join()
    assert "late" in opened()


def test_a_rotation_that_was_killed_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    connections.close_all()
    child = multiprocessing.get_context("fork").Process(target=_rotate_and_die)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    counts = keys.census()
    assert counts[1] > 0
    assert counts[2] > 0
    assert len(opened()) == ROWS

    assert rotate(new_key=False, drop_old=True) == {2: ROWS}
    assert opened() == [f"secret {n}" for n in range(ROWS)]


def _rotate_and_die() -> None:
    sealed = vault.seal
    left = iter(range(ROWS // 2))

    def seal(text: str) -> str:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return sealed(text)

    vault.seal = seal
    rotate()


def test_a_text_that_no_key_opens_ends_it_and_drops_nothing() -> None:
    Safe.objects.create(secret="v1.gAAAAABnonsense")
    with pytest.raises(CommandError, match=r"Safe.secret holds a text that no key opens"):
        call_command("rotatekeys", drop_old=True)
    assert opened_under_one() == ROWS


def opened_under_one() -> int:
    """Return how many texts can still be read."""
    readable = 0
    for text in Safe.objects.exclude(secret="").values_list("secret", flat=True):
        try:
            vault.unseal(text)
            readable += 1
        except vault.Unreadable:
            continue
    return readable


def test_what_is_sealed_elsewhere_is_sealed_anew_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [vault.seal("elsewhere")]
    settings.SEALED_ELSEWHERE = ["some.function"]

    def visit(reseal: keys.Reseal) -> Counter[int]:
        texts[:] = map(reseal, texts)
        return Counter(map(vault.version_of, texts))

    monkeypatch.setattr(keys, "import_string", {"some.function": visit}.__getitem__)
    assert rotate(drop_old=True) == {2: ROWS + 1}
    assert vault.unseal(texts[0]) == "elsewhere"


def test_a_second_rotation_waits_for_the_first() -> None:
    order: list[str] = []

    def second() -> None:
        try:
            with keys.alone():
                order.append("second")
        finally:
            connections.close_all()

    with keys.alone():
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.2)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]
