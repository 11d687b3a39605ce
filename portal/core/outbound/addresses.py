"""Which addresses a tenant's URL may lead to: the public Internet, and what an operator allows beside it."""

import ipaddress
from functools import lru_cache

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Global unicast is 2000::/3 alone (IANA). Outside lie loopback, link-local, unique local, multicast, and the forms that
# carry an IPv4 address: mapped ::ffff/96, compatible ::/96, NAT64 64:ff9b::/96 and 64:ff9b:1::/48.
PUBLIC_6 = ipaddress.ip_network("2000::/3")
NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "2001::/23",  # IETF protocols, with Teredo 2001::/32 and ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation (RFC 9637)
        "0.0.0.0/8",
        "100.64.0.0/10",  # CGNAT; metadata of one provider at 100.100.100.200
        "168.63.129.16/32",  # metadata of a provider, at an address that looks public
        "192.0.0.0/24",
        "192.88.99.0/24",  # relays of 6to4
    )
)


def is_fit(address: Address) -> bool:
    """Whether a request may go there."""
    return is_allowed(address) or _is_public(address)


def is_allowed(address: Address) -> bool:
    """Whether an operator has said that tenants may reach this address although it may be private."""
    return any(address in network for network in _networks(tuple(settings.OUTBOUND_NETWORKS)))


def _is_public(address: Address) -> bool:
    if address.version == 6 and (address.scope_id or address not in PUBLIC_6):
        return False
    if any(address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


@lru_cache(maxsize=4)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)
