"""Whose word counts about where a request comes from: that of the proxies in ``TRUSTED_PROXIES``, and nobody else's."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Network = IPv4Network | IPv6Network
Handler = Callable[[HttpRequest], HttpResponse]
PEER, CHAIN, SCHEME = "REMOTE_ADDR", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"


def client_address(get_response: Handler) -> Handler:
    """Put the client's own address into ``REMOTE_ADDR``, which limits, tries, sessions and audit take it from.

    Stands before all that asks for address or scheme. What a stranger says about either is taken away.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        proxies, meta = settings.TRUSTED_PROXIES, request.META
        peer, chain = str(meta.get(PEER, "")), str(meta.pop(CHAIN, ""))
        if is_trusted(peer, proxies):
            meta[PEER] = first_stranger(peer, chain, proxies)
        else:
            meta.pop(SCHEME, None)
        return get_response(request)

    return middleware


def is_trusted(peer: str, proxies: Iterable[Network]) -> bool:
    """Tell whether a proxy of ours asks. Through a Unix socket, which has no address, only this host's own comes."""
    proxies = list(proxies)
    address = _address(peer)
    if address is None:
        return bool(proxies) and not peer
    return any(address in network for network in proxies)


def first_stranger(peer: str, chain: str, proxies: Iterable[Network]) -> str:
    """Return the last address of ``X-Forwarded-For`` that is no proxy of ours; what stands before it may be made up.

    ``peer`` where the header is missing or holds something else there.
    """
    found = peer
    for text in reversed(chain.split(",")):
        address = _address(text)
        if address is None:
            break
        found = str(address)
        if not is_trusted(found, proxies):
            break
    return found


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, also one with a port, or an IPv4 one that is written as IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
