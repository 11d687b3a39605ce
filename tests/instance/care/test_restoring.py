"""What a restore, and a start, refuse: a newer portal's work, a directory that holds something, a half."""

import dataclasses
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from portal.instance import postgres
from portal.instance.care import restoring, saving
from portal.instance.care.archive import FORMAT, Manifest
from portal.instance.failed import Failed
from portal.instance.ownership import NO_PORT, own


@pytest.fixture
def manifest(db: None) -> Manifest:
    return Manifest(FORMAT, "0.1.0", "now", postgres.MAJOR, saving.own_migrations(), [], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"format": FORMAT + 1},
        {"migrations": ["portal.resources.9999_from_the_future"]},
        {"migrations": ["apps.of_the_future.0001_initial"]},
        {"server": "99"},
    ],
)
def test_what_a_newer_portal_has_written_is_refused(
    manifest: Manifest, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert any(name.startswith("portal.resources.") for name in manifest.migrations)
    restoring._refuse_newer(settings.BASE_DIR, manifest)
    with pytest.raises(Failed):
        restoring._refuse_newer(settings.BASE_DIR, dataclasses.replace(manifest, **changes))


def test_a_database_that_a_newer_portal_has_migrated_is_refused(transactional_db: None) -> None:
    call_command("prepare", "--migrate")
    MigrationRecorder(connection).record_applied("resources", "9999_from_the_future")
    try:
        with pytest.raises(CommandError, match=r"a newer portal .* resources\.9999_from_the_future"):
            call_command("prepare", "--migrate")
    finally:
        MigrationRecorder(connection).record_unapplied("resources", "9999_from_the_future")


def test_a_directory_that_holds_a_portal_is_refused_and_one_that_commands_have_touched_is_not(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "secret_key").touch()
    restoring._refuse_filled(tmp_path)
    (tmp_path / "postgres" / "17").mkdir(parents=True)
    with pytest.raises(Failed, match="holds a portal already"):
        restoring._refuse_filled(tmp_path)


def test_a_half_is_served_by_nobody_and_can_be_begun_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    for name in ("keys", "services/abc", "postgres/17"):
        (data / name).mkdir(parents=True)
    (data / "restoring").touch()
    with pytest.raises(SystemExit), own(data, NO_PORT):
        pass
    assert "was cut off" in capsys.readouterr().err
    restoring._refuse_filled(data)
    restoring._begin(data)
    assert [path.name for path in (data / "services").iterdir()] == []
    assert (data / "restoring").exists()
