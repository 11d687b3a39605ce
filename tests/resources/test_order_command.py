"""``manage.py order --wait``: the URI that it prints works as it stands, its server verified."""

import pytest

from portal.resources.management.commands.order import verified_by

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
