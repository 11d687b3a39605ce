"""Whatever address a tenant gives, the portal goes to the public Internet alone, or where an operator allows it."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from portal.core import outbound
from portal.core.errors import Problem
from portal.core.outbound import Caps, Refused, Unanswered
from tests.core.receiver import NAME, Receiver, receiving

PUBLIC = "93.184.215.14"
UNFIT_ADDRESSES = (
    "127.0.0.1", "127.8.9.1", "0.0.0.1", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.1.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1",
    "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "192.88.99.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::1", "2001:10::1",
    "2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1",
)  # fmt: skip
ODD = {
    "http://hooks.example.org/": "scheme",
    "ftp://hooks.example.org/": "scheme",
    "file:///etc/passwd": "host",
    "gopher://hooks.example.org/": "scheme",
    "hooks.example.org": "url",
    "//hooks.example.org/": "url",
    "": "url",
    "https://": "host",
    "https:///path": "host",
    "https://user:secret@hooks.example.org/": "userinfo",
    "https://@hooks.example.org/": "userinfo",
    "https://hooks.example.org@127.0.0.1/": "userinfo",
    "https://hooks.example.org:22/": "port",
    "https://hooks.example.org:6379/": "port",
    "https://hooks.example.org:99999/": "url",
    "https://hooks.example.org:0x1bb/": "url",
    "https://2130706433/": "host",
    "https://0x7f000001/": "host",
    "https://0x7f.1/": "host",
    "https://0177.0.0.1/": "host",
    "https://127.1/": "host",
    "https://127.0.1/": "host",
    "https://127.0.0.01/": "host",
    "https://017700000001/": "host",
    "https://1.2.3.4.5/": "host",
    "https://example.0x1/": "host",
    "https://localhost/": "host",
    "https://db/": "host",
    "https://hooks.example.org./": "host",
    "https://.example.org/": "host",
    "https://hooks..example.org/": "host",
    "https://-a.example.org-/": "host",
    "https://%31%32%37.0.0.1/": "address",
    "https://hooks.example.org%00.evil.example/": "url",
    "https://[fe80::1%25eth0]/": "host",
    "https://[::1%25lo]/": "host",
    "https://[127.0.0.1]/": "url",
    "https://hooks.example.org\\@127.0.0.1/": "url",
    "https://hooks.example.org/a b": "url",
    "https://hooks.example.org/\r\nX-Other: 1": "url",
    "https://hooks.example.org/\t": "url",
    "https://hooks.example.org/\x00": "url",
    "https://hooks.example.org\u200b/": "url",
    f"https://hooks.example.org/{'a' * 2000}": "url",
}  # fmt: skip
# Other digits and dots that a resolver's normal form turns into 127.0.0.1; refused by whichever rule sees them first.
LOOK_ALIKE = ("https://①②⑦.⓪.⓪.①/", "https://１２７.０.０.１/", "https://127。0。0。1/", "https://ⓛocalhost/")


def answering(*addresses: str) -> Callable[..., list[Any]]:
    """Return a resolver that gives these addresses for every name."""

    def look_up(host: str, port: int, **asked: Any) -> list[Any]:
        return [(0, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return look_up


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``resolver(*addresses)``: every name has these addresses from now on."""
    return lambda *addresses: monkeypatch.setattr(socket, "getaddrinfo", answering(*addresses))


@pytest.fixture
def receiver(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver with TLS on loopback that an operator has allowed; ``NAME`` leads there."""
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *others: Any, **asked: Any) -> Any:
        return real("127.0.0.1" if host == NAME else host, port, *others, **asked)

    with receiving(tmp_path) as found:
        settings.OUTBOUND_NETWORKS, settings.OUTBOUND_CA = ["127.0.0.0/8"], str(found.ca)
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        yield found


@pytest.mark.parametrize("address", UNFIT_ADDRESSES)
def test_an_address_that_is_not_public_is_refused_however_it_comes(resolver: Callable[..., None], address: str) -> None:
    resolver(address)
    for url in (f"https://{'[' + address + ']' if ':' in address else address}/", "https://hooks.example.org/"):
        with pytest.raises(Refused):
            outbound.resolve(url)
        with pytest.raises(Refused):
            outbound.request("POST", url)
    resolver(PUBLIC)
    assert outbound.resolve("https://hooks.example.org/").addresses == (PUBLIC,)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450:4001::1"])
def test_a_public_address_is_fine(resolver: Callable[..., None], address: str) -> None:
    resolver(address)
    assert outbound.resolve("https://hooks.example.org/").addresses == (address,)
    literal = f"https://{'[' + address + ']' if ':' in address else address}/x"
    assert outbound.resolve(literal).url == literal


@pytest.mark.parametrize("url", ODD)
def test_an_odd_address_is_refused_and_the_field_named(resolver: Callable[..., None], url: str) -> None:
    resolver(PUBLIC)
    with pytest.raises(Problem) as caught:
        outbound.check(url, pointer="/target")
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/target", ODD[url])]


@pytest.mark.parametrize("url", LOOK_ALIKE)
def test_digits_and_dots_of_other_scripts_are_no_way_round(resolver: Callable[..., None], url: str) -> None:
    resolver(PUBLIC)
    with pytest.raises(Refused):
        outbound.resolve(url)


def test_one_unfit_address_among_several_refuses_them_all(resolver: Callable[..., None]) -> None:
    resolver(PUBLIC, "10.0.0.1")
    with pytest.raises(Refused):
        outbound.resolve("https://hooks.example.org/")
    resolver(PUBLIC, "1.1.1.1")
    assert outbound.resolve("https://hooks.example.org/").addresses == (PUBLIC, "1.1.1.1")


def test_a_name_that_cannot_be_looked_up_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*asked: Any, **how: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", broken)
    with pytest.raises(Problem) as caught:
        outbound.check("https://hooks.example.org/")
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/url", "unresolvable")]


def test_a_resolver_that_hangs_is_waited_for_no_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.core.outbound.targets.LOOKUP_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **how: time.sleep(0.5) or [])
    with pytest.raises(Refused, match="could not be looked up"):
        outbound.resolve("https://hooks.example.org/")


def test_a_url_is_kept_in_one_form(resolver: Callable[..., None]) -> None:
    resolver(PUBLIC)
    for given, kept in {
        "HTTPS://Hooks.Example.ORG": "https://hooks.example.org/",
        "https://hooks.example.org:443/a?b=c#part": "https://hooks.example.org/a?b=c",
        "https://hooks.example.org:8443/a": "https://hooks.example.org:8443/a",
        "https://bücher.example/ü": "https://xn--bcher-kva.example/%C3%BC",
    }.items():
        assert outbound.resolve(given).url == kept


def test_it_sends_to_the_checked_address_with_name_and_certificate_of_the_name(receiver: Receiver) -> None:
    answer = outbound.request("POST", receiver.url(), headers={"X-Mine": "1", "Host": "other"}, body=b"hello")
    assert (answer.status, answer.body, answer.is_whole) == (200, b"thanks", True)
    path, headers, body = receiver.got[0]
    assert (path, body, headers["host"], headers["x-mine"]) == ("/hook", b"hello", f"{NAME}:{receiver.port}", "1")


def test_a_certificate_for_another_name_or_by_nobody_known_is_refused(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outbound.request("POST", receiver.url()).status == 200
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, *o, **k: real(NAME if host == "other.example.org" else host, port, *o, **k),
    )
    with pytest.raises(Unanswered, match="no certificate"):
        outbound.request("POST", receiver.url(host="other.example.org"))
    settings.OUTBOUND_CA = ""
    with pytest.raises(Unanswered, match="no certificate"):
        outbound.request("POST", receiver.url())
    assert len(receiver.got) == 1


def status_of(url: str) -> int:
    """Return the status of an answer; 0 where there was none."""
    try:
        return outbound.request("POST", url).status
    except outbound.Unanswered:
        return 0


def test_a_name_is_looked_up_once_so_that_a_second_answer_changes_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the first answer is fit, the second would lead elsewhere."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *others: Any, **how: Any) -> Any:
        if host != NAME:
            return real(host, port, *others, **how)
        asked.append(host)
        return answering("127.0.0.1" if len(asked) == 1 else "127.0.0.9")(host, port)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    status = status_of(receiver.url())
    assert asked == [NAME]
    assert status == 200


def test_an_address_that_has_become_unfit_since_it_was_given_is_refused(
    receiver: Receiver, settings: Settings, resolver: Callable[..., None]
) -> None:
    assert outbound.request("POST", receiver.url()).status == 200
    settings.OUTBOUND_NETWORKS = []
    with pytest.raises(Refused):
        outbound.request("POST", receiver.url())
    assert len(receiver.got) == 1


def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": receiver.url()}
    answer = outbound.request("POST", receiver.url())
    assert (answer.status, len(receiver.got)) == (302, 1)


def test_of_a_long_answer_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.body = b"x" * 100_000
    answer = outbound.request("GET", receiver.url(), caps=Caps(size=1000))
    assert (len(answer.body), answer.is_whole) == (1000, False)
    receiver.body = b"x" * 1000
    assert outbound.request("GET", receiver.url(), caps=Caps(size=1000)).is_whole


def test_who_drips_is_cut_off_when_the_time_is_up(receiver: Receiver) -> None:
    receiver.body, receiver.drip = b"x" * 200, 0.05
    began = time.monotonic()
    with pytest.raises(Unanswered, match="in time"):
        outbound.request("GET", receiver.url(), caps=Caps(total=0.5))
    assert time.monotonic() - began < 3


def test_who_says_nothing_is_cut_off_too(tmp_path: Path, settings: Settings) -> None:
    settings.OUTBOUND_NETWORKS, settings.OUTBOUND_HTTP = ["127.0.0.0/8"], True
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for scheme in ("http", "https"):  # before a TLS handshake as well
            with pytest.raises(Unanswered, match="in time"):
                outbound.request("GET", f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/", caps=Caps(total=0.3))


def test_who_does_not_speak_http_is_told_apart(tmp_path: Path, settings: Settings) -> None:
    settings.OUTBOUND_NETWORKS, settings.OUTBOUND_HTTP = ["127.0.0.0/8"], True
    with receiving(tmp_path) as found, pytest.raises(Unanswered):
        outbound.request("GET", found.url("http", "127.0.0.1"))
    with pytest.raises(Unanswered, match="No connection"):
        outbound.request("GET", found.url("http", "127.0.0.1"))


def test_without_tls_it_goes_only_where_an_operator_allows_it(tmp_path: Path, settings: Settings) -> None:
    with receiving(tmp_path, tls=False) as found:
        url = found.url("http", "127.0.0.1")
        for networks, plain in (([], True), (["127.0.0.0/8"], False), (["10.0.0.0/8"], True)):
            settings.OUTBOUND_NETWORKS, settings.OUTBOUND_HTTP = networks, plain
            with pytest.raises(Refused):
                outbound.request("POST", url)
        settings.OUTBOUND_NETWORKS, settings.OUTBOUND_HTTP = ["127.0.0.0/8"], True
        assert outbound.request("POST", url).status == 200


def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert outbound.request("POST", receiver.url()).status == 200
