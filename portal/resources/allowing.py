"""The networks that may reach a service: an empty list means from anywhere."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from portal.clusters.models import Cluster
from portal.core import texts
from portal.core.errors import FieldError, invalid
from portal.core.offerings import No, Offering

MOST = 50
LONGEST_DESCRIPTION = 200
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def checked(offering: Offering, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the list as it is stored, networks in their canonical form. Raises Problem that names each wrong entry."""
    wrong = errors(offering, entries)
    if wrong:
        raise invalid(*wrong)
    return [{"cidr": str(_network(entry)), "description": str(entry.get("description", ""))} for entry in entries]


def errors(offering: Offering, entries: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Say what is wrong with which entry, and what to write instead."""
    if entries and (reason := refusal(offering)):
        return [FieldError("/ip_allow_list", "not_supported", reason)]
    if len(entries) > MOST:
        detail = _("A service has at most %(most)d networks in its list.") % {"most": MOST}
        return [FieldError("/ip_allow_list", "too_many", detail)]
    found: list[FieldError] = []
    seen: set[Network] = set()
    for index, entry in enumerate(entries):
        found += _errors_of(entry, f"/ip_allow_list/{index}", seen)
    return found


def unsupported(offering: Offering, cluster: Cluster, entries: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Say why a service in this cluster can't have a list, where the offering's elsewhere can."""
    reason = refusal(offering, cluster.kind) if entries and not refusal(offering) else ""
    return [FieldError("/ip_allow_list", "not_supported", reason)] if reason else []


def refusal(offering: Offering, backend: str = "") -> str:
    """Say why the offering's services (in this kind of cluster) can't have a list; empty where they can."""
    capability = offering.capabilities.allow_list
    if backend:
        capability = capability.on(backend)
    if not isinstance(capability, No):
        return ""
    return _("This offering can't restrict who reaches it: %(reason)s") % {"reason": capability.reason}


def _errors_of(entry: Mapping[str, Any], at: str, seen: set[Network]) -> list[FieldError]:
    if len(str(entry.get("description", ""))) > LONGEST_DESCRIPTION:
        detail = _("A description has at most %(most)d characters.") % {"most": LONGEST_DESCRIPTION}
        return [FieldError(f"{at}/description", "too_long", detail)]
    if faults := texts.errors(f"{at}/description", str(entry.get("description", ""))):
        return faults
    try:
        network = _network(entry)
    except ValueError:
        return [FieldError(f"{at}/cidr", "invalid_network", _remedy(str(entry.get("cidr", ""))))]
    if network in seen:
        return [FieldError(f"{at}/cidr", "duplicate", _("%(cidr)s is in the list already.") % {"cidr": network})]
    seen.add(network)
    return []


def _network(entry: Mapping[str, Any]) -> Network:
    """Raises ValueError for what is no network, bits behind its prefix and a zone (``%eth0``) included."""
    text = str(entry.get("cidr", "")).strip()
    if "%" in text:
        raise ValueError(text)
    return ipaddress.ip_network(text)


def _remedy(text: str) -> str:
    """Name the network that was probably meant."""
    try:
        meant = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        meant = None
    if meant is None or "%" in text:
        return _("Write a network such as 203.0.113.0/24 or 2001:db8::/32, or a single address.")
    words = {"cidr": text.strip(), "network": meant, "address": text.strip().partition("/")[0]}
    return (
        _(
            "%(cidr)s has bits set behind its prefix. Write %(network)s for the network, "
            "or %(address)s for that one address."
        )
        % words
    )
