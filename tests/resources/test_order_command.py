"""``manage.py order --wait``: the URI that it prints works as it stands, its server verified."""

from pathlib import Path

import pytest
from django.core.management.base import CommandError
from pytest_django import Settings

from portal.core.actors import Actor
from portal.resources import actions
from portal.resources.management.commands.order import authority_file, verified_by
from portal.resources.models import Resource
from tests.resources.conftest import turn

FILE = "/srv/my portal/public/ca.pem"
QUOTED = "/srv/my%20portal/public/ca.pem"


@pytest.mark.parametrize(
    ("uri", "whole"),
    [
        (
            "postgresql://admin:p%40ss@localhost:20001/defaultdb?sslmode=verify-full",
            f"postgresql://admin:p%40ss@localhost:20001/defaultdb?sslmode=verify-full&sslrootcert={QUOTED}",
        ),
        (
            "rediss://admin:p%3Fs%23s@localhost:20002/0",
            f"rediss://admin:p%3Fs%23s@localhost:20002/0?ssl_ca_certs={QUOTED}",
        ),
        (
            "rediss://a:b@localhost:20002/0?protocol=3",
            f"rediss://a:b@localhost:20002/0?protocol=3&ssl_ca_certs={QUOTED}",
        ),
        ("redis://a:b@localhost:20002/0", "redis://a:b@localhost:20002/0"),
        ("toy://admin:x@localhost:20001/", "toy://admin:x@localhost:20001/"),
    ],
)
def test_a_uri_says_by_what_its_server_is_verified(uri: str, whole: str) -> None:
    assert verified_by(uri, FILE) == whole


def test_it_names_the_file_of_whoever_signs_for_the_service(tmp_path: Path, settings: Settings) -> None:
    settings.ARCHIPEL_DATA = tmp_path
    service = Resource(handle="abcdefgh2345", name="box")
    public = tmp_path / "public"
    assert authority_file(service, "its own").read_text() == "its own"  # there is no other one yet
    (public / "ca.pem").write_text("this machine's")
    assert authority_file(service, "this machine's") == public / "ca.pem"
    own = authority_file(service, "its new one")
    assert (own, own.read_text()) == (public / "abcdefgh2345-ca.pem", "its new one")
    assert own.stat().st_mode & 0o777 == 0o644


def test_it_says_where_that_file_can_not_be_written(tmp_path: Path, settings: Settings) -> None:
    settings.ARCHIPEL_DATA = tmp_path / "file"
    settings.ARCHIPEL_DATA.write_text("")
    with pytest.raises(CommandError, match="box runs, but"):
        authority_file(Resource(handle="abcdefgh2345", name="box"), "its own")


@pytest.mark.django_db
def test_the_file_goes_with_its_service_and_is_named_while_it_can_not(
    running: Resource, actor: Actor, tmp_path: Path, settings: Settings
) -> None:
    settings.ARCHIPEL_DATA = tmp_path
    own = authority_file(running, "its own")
    other = authority_file(Resource(handle="abcdefgh2345", name="other"), "another's")
    actions.delete(actor, running)
    assert (turn(running).state, own.exists()) == ("deleted", True)  # it may come back from the bin
    own.unlink()
    own.mkdir()  # a directory is none of ours to remove
    actions.delete(actor, Resource.objects.get(id=running.id), policy="wipe")
    left = turn(running)
    assert left.state == "deleting"
    assert f"Still to be removed: certificate {own.name}" in str(left.conditions)
    own.rmdir()
    own.write_text("its own")
    assert turn(left).state == "purged"
    assert (own.exists(), other.exists()) == (False, True)
