"""Heads as files, and ``manage.py verifyaudit`` with them."""

import datetime
import json
import stat
import uuid
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import User
from portal.audit import heads, sealing, tasks
from portal.audit.models import AuditEvent, Head
from portal.core import ids
from portal.projects.models import Organization
from tests.audit import forging

pytestmark = pytest.mark.django_db
ONE = uuid.UUID(int=1)
FORMAT = '{"format": "archipel audit heads 1", "chains": '


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.AUDIT_HEADS = tmp_path / "data" / "audit-heads"
    return tmp_path / "data" / "audit-heads"


def today(folder: Path) -> Path:
    return folder / f"{datetime.datetime.now(datetime.UTC).date()}.json"


def sealed(number: int, key: uuid.UUID | None = ONE) -> None:
    forging.write(number, key)
    sealing.seal_all()


def verify(*arguments: Any) -> str:
    out = StringIO()
    call_command("verifyaudit", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: Any) -> str:
    """Return what the command says when it ends with 1."""
    out = StringIO()
    with pytest.raises(CommandError) as raised:
        call_command("verifyaudit", *arguments, stdout=out)
    return f"{out.getvalue()}{raised.value}"


def test_a_day_s_file_names_every_chain_and_is_not_for_everybody(folder: Path) -> None:
    tasks.keep_heads()
    assert not folder.exists()  # nothing has been sealed yet
    sealed(3)
    sealed(2, None)
    tasks.keep_heads()
    content = json.loads(today(folder).read_text())
    assert [(entry["organization"], entry["position"]) for entry in content["chains"]] == [
        (ids.encode("org", ONE), 3),
        (None, 2),
    ]
    assert stat.S_IMODE(today(folder).stat().st_mode) == 0o640
    assert [path.name for path in folder.iterdir()] == [today(folder).name]
    assert heads.load(today(folder)) == [
        heads.Mark(mark.organization_id, mark.position, mark.digest, mark.at, today(folder).name, True)
        for mark in heads.current()
    ]


def test_a_file_is_written_again_only_when_heads_have_moved_on(folder: Path) -> None:
    sealed(1)
    assert heads.keep_daily() == today(folder)
    assert heads.keep_daily() is None
    sealed(1)
    assert heads.keep_daily() == today(folder)
    assert heads.load(today(folder))[0].position == 2


def test_a_file_is_not_replaced_by_one_that_says_less(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    sealed(3)
    heads.keep_daily()
    with forging.forger() as cursor:
        cursor.execute("UPDATE audit_head SET position = 2")
    assert heads.keep_daily() is None
    assert "behind those in" in caplog.text
    assert heads.load(today(folder))[0].position == 3


def test_a_damaged_file_is_written_anew(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    sealed(1)
    folder.mkdir(parents=True)
    today(folder).write_text("{")
    assert heads.keep_daily() == today(folder)
    assert "damaged" in caplog.text


def test_how_a_chain_stood_when_a_day_ended_is_kept() -> None:
    sealed(2)
    with forging.forger() as cursor:
        cursor.execute("UPDATE audit_head SET at = '2026-03-01T23:59:50Z'")
    for _ in range(2):
        sealed(1)
    assert list(Head.objects.order_by("position").values_list("day", "position")) == [
        (datetime.date(2026, 3, 1), 2),
        (None, 4),
    ]
    assert [mark.position for mark in heads.current()] == [4]
    assert [mark.position for mark in heads.of_chain(ONE)] == [2, 4]


def test_a_clock_that_was_set_back_does_no_harm() -> None:
    sealed(2)
    with forging.forger() as cursor:
        cursor.execute("UPDATE audit_head SET at = '2100-01-01T00:00:00Z'")
    sealed(2)
    sealed(2)
    assert [mark.position for mark in heads.of_chain(ONE)] == [6]
    assert "ok (6 rows" in verify()


def test_the_command_counts_and_says_ok(organization: Organization) -> None:
    sealed(3, organization.id)
    sealed(2, None)
    forging.write(4, organization.id)
    assert verify().splitlines() == [
        "acme: ok (3 rows sealed up to 3, 4 not sealed yet)",
        "the platform itself: ok (2 rows sealed up to 2, 0 not sealed yet)",
    ]
    assert "platform" not in verify("--organization", "acme")
    assert "no organization nobody" in refused("--organization", "nobody")


def test_the_command_names_damaged_rows_and_ends_with_1(organization: Organization, other_organization: Any) -> None:
    sealed(6, organization.id)
    sealed(2, other_organization.id)
    row = AuditEvent.objects.get(position=2, organization_id=organization.id)
    with forging.forger() as cursor:
        forging.change(cursor, organization.id, 2, "outcome")
        forging.remove(cursor, organization.id, [4, 6])
    said = refused()
    assert "acme: 3 flaws (4 rows sealed up to 5, 0 not sealed yet)" in said
    assert f"  changed: row 2 ({row.public_id})" in said
    assert "  removed: row 4" in said
    assert "  cut off: row 6" in said
    assert "other: ok" in said
    assert "The audit log is damaged: 3 flaws." in said
    assert verify("--organization", "other")


def test_a_head_file_finds_what_the_database_no_longer_tells(organization: Organization, folder: Path) -> None:
    sealed(5, organization.id)
    heads.keep_daily()
    assert verify("--head", today(folder))
    with forging.forger() as cursor:
        cursor.execute("DELETE FROM audit_auditevent")
        cursor.execute("DELETE FROM audit_head")
    assert verify() == ""
    assert "cut off: rows 1 to 5" in refused("--head", today(folder))


def test_heads_are_exported_only_from_a_log_that_holds(organization: Organization, tmp_path: Path) -> None:
    sealed(2, organization.id)
    verify("--export", tmp_path / "heads.json")
    assert heads.load(tmp_path / "heads.json")[0].position == 2
    with forging.forger() as cursor:
        forging.change(cursor, organization.id, 1, "action")
    refused("--export", tmp_path / "later.json")
    assert not (tmp_path / "later.json").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": "x", "chains": []}',
        FORMAT + '[{"organization": "org_1", "position": 1}]}',
        FORMAT + '[{"organization": null, "position": 1, "digest": "00", "at": "2026-01-01T00:00:00Z"}]}',
        FORMAT + '[{"organization": null, "position": 1, "at": "2026-01-01T00:00:00Z"}]}',
    ],
)
def test_a_file_that_is_no_head_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert "x.json" in refused("--head", tmp_path / "x.json")
    assert "missing.json" in refused("--head", tmp_path / "missing.json")


def test_operators_see_place_and_digest(operator: User, client_of: Callable[[User], Client]) -> None:
    sealed(2)
    row = AuditEvent.objects.get(position=2)
    client = client_of(operator)
    assert row.short_digest in client.get("/admin/audit/auditevent/").content.decode()
    assert row.short_digest in client.get("/admin/audit/head/").content.decode()
    assert row.short_digest in client.get(f"/admin/audit/auditevent/{row.id}/change/").content.decode()
    assert client.post("/admin/audit/head/add/").status_code == 403
