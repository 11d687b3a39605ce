"""Engine packages as operators see them: what is here, what is broken, and only that is fetched anew."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters import engine_packages
from portal.clusters.backends.local.packages import installed
from portal.core.actors import Actor
from portal.core.errors import Problem

KEY = "bubblewrap"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory of packages in which one is as it should be."""
    place = tmp_path / KEY
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "bwrap").write_text("#!/bin/sh\n")
    (place / "bin" / "bwrap").chmod(0o755)
    (place / "manifest.json").write_text(json.dumps({"key": KEY, "version": "0.11.0", "fetched_at": "2026-11-01"}))
    return tmp_path


def held(home: Path) -> engine_packages.Held:
    return next(found for found in engine_packages.held_packages(home) if found.entry.key == KEY)


def test_a_look_tells_what_is_here_and_what_is_broken(home: Path) -> None:
    assert (held(home).version, held(home).broken) == ("0.11.0", "")
    assert held(home).digest == held(home).entry.digest
    (home / KEY / "bin" / "bwrap").chmod(0o644)
    assert held(home).broken == "bin/bwrap is no program"
    (home / KEY / "bin" / "bwrap").unlink()
    (home / KEY / "bin").rmdir()
    assert held(home).broken == "missing: bin"
    (home / KEY / "manifest.json").unlink()
    assert (held(home).manifest, held(home).broken) == (None, "")


def test_only_a_broken_one_is_fetched_anew_by_an_operator_with_a_reason(
    home: Path, operator: User, owner: User, actor_of: Callable[..., Actor]
) -> None:
    def refetch(user: User, reason: str = "It does not start", key: str = KEY) -> None:
        engine_packages.refetch(actor_of(user), key=key, reason=reason, prefix=home)

    with pytest.raises(Problem, match="package_is_whole"):
        refetch(operator)
    (home / KEY / "bin" / "bwrap").unlink()
    for user, reason, match in ((owner, "x", "permission_denied"), (operator, " ", "Say why")):
        with pytest.raises(Problem, match=match):
            refetch(user, reason)
    with pytest.raises(Problem, match="not_found"):
        refetch(operator, key="../etc")
    assert installed(KEY, home)
    refetch(operator)
    assert not installed(KEY, home)
    with pytest.raises(Problem, match="not_here"):
        refetch(operator)
    assert AuditEvent.objects.filter(action="package.refetch", outcome="denied").count() == 1
    event = AuditEvent.objects.get(action="package.refetch", outcome="done")
    assert (event.target_name, event.reason) == (KEY, "It does not start")


def test_the_page_shows_the_catalogue_to_the_provider_alone(
    home: Path, operator: User, support: User, owner: User, client_of: Callable[[User], Client], settings: object
) -> None:
    settings.ARCHIPEL_PACKAGES = home  # type: ignore[attr-defined]
    (home / KEY / "bin" / "bwrap").unlink()
    page = client_of(operator).get("/admin/packages").content.decode()
    assert "bubblewrap 0.11.0" in page
    assert "bin/bwrap is no program" in page
    assert "Fetch again" in page
    assert "Fetch again" not in client_of(support).get("/admin/packages").content.decode()
    assert client_of(owner).get("/admin/packages", follow=True).status_code == 403
    form = {"key": KEY, "reason": "Broken"}
    client_of(support).post("/admin/packages/refetch", form)
    assert installed(KEY, home)
    done = client_of(operator).post("/admin/packages/refetch", form, follow=True).content.decode()
    assert "fetched anew" in done
    assert not installed(KEY, home)
