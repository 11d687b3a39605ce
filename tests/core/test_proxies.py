"""Behind a proxy everything goes by the client's own address, and nobody can make one up."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from allauth.usersessions.models import UserSession
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from portal.accounts import tries
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core import environment, proxies

PROXY, CLIENT, FORGED = "10.0.0.9", "203.0.113.7", "198.51.100.1"
NETWORKS = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]


@pytest.fixture
def behind(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = NETWORKS
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def seen(peer: str, chain: str | None = None, scheme: str = "") -> tuple[str, bool]:
    """Return the address and whether it came by TLS, as all that comes after the middleware sees it."""
    found: list[tuple[str, bool]] = []

    def view(request: HttpRequest) -> HttpResponse:
        assert "X-Forwarded-For" not in request.headers
        found.append((request.META["REMOTE_ADDR"], request.is_secure()))
        return HttpResponse()

    headers = {} if chain is None else {"X-Forwarded-For": chain}
    headers |= {"X-Forwarded-Proto": scheme} if scheme else {}
    proxies.client_address(view)(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))
    return found[0]


def test_without_the_setting_the_headers_say_nothing(settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    assert settings.TRUSTED_PROXIES == []
    assert seen(PROXY, FORGED, "https") == (PROXY, False)
    assert seen("", FORGED) == ("", False)


@pytest.mark.usefixtures("behind")
@pytest.mark.parametrize(
    ("peer", "chain", "address"),
    [
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"{FORGED}, {CLIENT}", CLIENT),
        (PROXY, f"{FORGED}, {CLIENT}, 10.0.0.3", CLIENT),
        (PROXY, f"10.1.1.1, {FORGED}, {CLIENT} ,10.0.0.3", CLIENT),
        (PROXY, f"{CLIENT}:4711", CLIENT),
        (PROXY, "[2001:db8:2::5]:4711", "2001:db8:2::5"),
        (f"::ffff:{PROXY}", f"::ffff:{CLIENT}", CLIENT),
        ("2001:db8:1::1", CLIENT, CLIENT),
        ("", CLIENT, CLIENT),
        (PROXY, "10.2.2.2", "10.2.2.2"),
        (PROXY, None, PROXY),
        (PROXY, "", PROXY),
        (PROXY, "unknown", PROXY),
        (PROXY, f"{FORGED}, nonsense", PROXY),
        ("192.0.2.1", FORGED, "192.0.2.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(peer: str, chain: str | None, address: str) -> None:
    assert seen(peer, chain)[0] == address


@pytest.mark.usefixtures("behind")
def test_the_scheme_is_believed_of_a_proxy_alone() -> None:
    assert seen(PROXY, CLIENT, "https") == (CLIENT, True)
    assert seen(PROXY, CLIENT, "http") == (CLIENT, False)
    assert seen("192.0.2.1", FORGED, "https") == ("192.0.2.1", False)


def test_networks_are_read_and_a_wrong_one_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.networks("TRUSTED_PROXIES") == []
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8:1::/48")
    assert environment.networks("TRUSTED_PROXIES") == NETWORKS
    monkeypatch.setenv("TRUSTED_PROXIES", "192.0.2.4")
    assert str(environment.networks("TRUSTED_PROXIES")[0]) == "192.0.2.4/32"
    monkeypatch.setenv("TRUSTED_PROXIES", "proxy.example")
    with pytest.raises(ImproperlyConfigured, match=r"TRUSTED_PROXIES.*10\.0\.0\.0/8"):
        environment.networks("TRUSTED_PROXIES")


def wrong(client: Client, email: str, peer: str, chain: str) -> int:
    headers = {"X-Forwarded-For": chain}
    form = {"email": email, "password": "nope"}
    return client.post("/sign-in", form, headers=headers, REMOTE_ADDR=peer).status_code


def tried(peer: str, chains: Callable[[int], str]) -> tuple[list[int], set[str]]:
    """Try as often as one address may and once more, each time another account; return statuses, and what audit saw."""
    client = Client()
    statuses = [wrong(client, f"p{n}@acme.example", peer, chains(n)) for n in range(tries.PER_ADDRESS + 1)]
    return statuses, set(AuditEvent.objects.values_list("address", flat=True))


def test_made_up_addresses_get_nobody_more_tries(db: None) -> None:
    statuses, addresses = tried("192.0.2.1", lambda n: f"198.51.100.{n}")
    assert statuses[-2:] == [422, 429]
    assert addresses == {"192.0.2.1"}


@pytest.mark.usefixtures("behind")
def test_behind_a_proxy_each_client_has_tries_of_their_own(db: None) -> None:
    statuses, addresses = tried(PROXY, lambda n: f"{FORGED}, 203.0.113.{n}")
    assert set(statuses) == {422}
    assert len(addresses) == tries.PER_ADDRESS + 1
    assert FORGED not in addresses
    statuses, _addresses = tried(PROXY, lambda n: f"198.51.100.{n}, {CLIENT}")
    assert statuses[-1] == 429


@pytest.mark.usefixtures("behind")
def test_sessions_rates_and_audit_go_by_the_same_address(owner: User) -> None:
    owner.set_password("correct horse battery")
    owner.save()
    client, form = Client(), {"email": owner.email, "password": "correct horse battery"}
    client.post("/sign-in", form, headers={"X-Forwarded-For": CLIENT}, REMOTE_ADDR=PROXY)
    assert AuditEvent.objects.get(action="user.sign_in").address == CLIENT
    assert UserSession.objects.get(user=owner).ip == CLIENT
    left = [
        int(
            Client()
            .get("/api/v1/catalog/prices", headers={"X-Forwarded-For": chain}, REMOTE_ADDR=PROXY)["RateLimit"]
            .split("r=")[1]
            .split(";")[0]
        )
        for chain in ("203.0.113.8", "203.0.113.9", f"{FORGED}, 203.0.113.9")
    ]
    assert left[0] == left[1] > left[2]
