"""What a route takes: which permission shows that the thing exists (else 404), which one the act takes (else 403).

What a role has is said by ``portal.projects.permissions`` alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.world import ORDER, Who

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SIGN_IN, HIDDEN, REFUSED, ALLOWED = "sign in", "hidden", "refused", "allowed"


@dataclass(frozen=True)
class Rule:
    """What one verb of a route takes, and a body that is right. ``hidden`` and ``refused`` are the statuses of a no."""

    verdict: Callable[[Who], str]
    body: Mapping[str, Any] = field(default_factory=dict)
    hidden: int = 404
    refused: int = 403


@dataclass(frozen=True)
class Route:
    """A path of the URL table with fixed words filled in, and a rule for each verb that it has."""

    rules: Mapping[str, Rule]
    words: Mapping[str, str] = field(default_factory=dict)


def anybody(who: Who) -> str:
    return ALLOWED


def away(who: Who) -> str:
    """Signing out leads everybody to the way in."""
    return SIGN_IN


def hidden(who: Who) -> str:
    return HIDDEN


def signed_in(who: Who) -> str:
    return ALLOWED if who.user else SIGN_IN


def needs(see: str, act: str = "", *, of_service: bool = False) -> Callable[[Who], str]:
    """Return the verdict for a thing that ``see`` shows and an act that takes ``act``."""

    def verdict(who: Who) -> str:
        if who.user is None:
            return SIGN_IN
        if not who.may(see) or (of_service and not who.sees_family):
            return HIDDEN
        return ALLOWED if not act or who.may(act) else REFUSED

    return verdict


def service(act: str = "", **body: Any) -> Rule:
    return Rule(needs("service.read", act, of_service=True), body)


def project(act: str = "", **body: Any) -> Rule:
    return Rule(needs("project.read", act), body)


def own_token(who: Who) -> str:
    """The token of the paths is the developer's."""
    if who.user is None:
        return SIGN_IN
    return ALLOWED if who.name == "developer" else HIDDEN


def weaker_token(who: Who) -> str:
    """A token that reads everywhere is made by those who write everywhere."""
    if who.user is None:
        return SIGN_IN
    return ALLOWED if who.scopes in ((), ("write",)) else REFUSED


def member_away(who: Who) -> str:
    """The member of the paths is the viewer, who may leave by themselves."""
    return ALLOWED if who.name == "viewer" else needs("project.read", "organization.members")(who)


def role_away(who: Who) -> str:
    """The member of the paths is the viewer, who may give up their own role."""
    return ALLOWED if who.name == "viewer" else needs("project.read", "project.members")(who)


def quoted(who: Who) -> str:
    return needs("service.read", of_service=True)(who)


PUBLIC, PERSON, LEAVE = Rule(anybody), Rule(signed_in), Rule(away)
READ = {"GET": service()}
ORDER_FORM = {**ORDER, "project": "acme-prod", "region": "local", "version": "2", "spec-greeting": "hello"}
ROLES = {"project_role": "viewer"}
RESTORE = {"backup": "{backup}", "target": {"name": "restored"}}


def dialog(act: str, **body: Any) -> dict[str, Rule]:
    """A page that asks and, when sent, acts; who may not act is not asked."""
    return {"GET": service(act), "POST": service(act, **body)}


def act(permission: str, **body: Any) -> dict[str, Rule]:
    return {"POST": service(permission, **body)}
