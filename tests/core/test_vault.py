"""Secrets at rest."""

from pathlib import Path

import pytest
from pytest_django import Settings

from portal.core import vault


@pytest.fixture(autouse=True)
def keys_of_their_own(settings: Settings, tmp_path: Path) -> None:
    settings.ENCRYPTION_KEYS = tmp_path / "keys" / "encryption.json"


def test_what_is_sealed_can_be_read_again_and_is_never_the_same_twice() -> None:
    one, two = vault.seal("canary"), vault.seal("canary")
    assert one != two
    assert "canary" not in one
    assert vault.unseal(one) == vault.unseal(two) == "canary"


def test_a_changed_or_foreign_text_is_refused(settings: Settings, tmp_path: Path) -> None:
    sealed = vault.seal("canary")
    for broken in (sealed[:-3], "v1." + sealed[5:], "v9." + sealed[3:], "canary", ""):
        with pytest.raises(vault.Unreadable):
            vault.unseal(broken)
    settings.ENCRYPTION_KEYS = tmp_path / "other.json"
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed)


def test_a_new_key_seals_and_the_older_ones_still_open() -> None:
    old = vault.seal("canary")
    version = vault.add_key()
    new = vault.seal("canary")
    assert (vault.version_of(old), vault.version_of(new), vault.newest()) == (1, version, version)
    assert vault.unseal(old) == vault.unseal(new) == "canary"
    assert vault.drop_keys_below(version) == [1]
    with pytest.raises(vault.Unreadable):
        vault.unseal(old)


def test_keys_are_readable_by_their_owner_alone(settings: Settings) -> None:
    vault.seal("canary")
    assert Path(settings.ENCRYPTION_KEYS).stat().st_mode & 0o077 == 0
