"""What the routes of the audit log, of regions, and of one's personal data take."""

from tests.matrix.rules import ALLOWED, HIDDEN, PERSON, PUBLIC, REFUSED, SIGN_IN, Route, Rule, needs, signed_in
from tests.matrix.world import Who


def unscoped(who: Who) -> str:
    """A copy of all that is held about a person goes to a token without scopes, or to themselves."""
    if who.user is None:
        return SIGN_IN
    if who.user.is_machine:
        return HIDDEN
    return REFUSED if who.scopes else ALLOWED


EVENT = Rule(needs("audit.read"))
HERE = {"region": "local"}
CONSOLE: dict[str, Route] = {
    "audit": Route({"GET": PERSON}),
    "audit/export": Route({"GET": PERSON}),
    "audit/head": Route({"GET": PERSON}),
    "audit/<event>": Route({"GET": EVENT}),
    "regions": Route({"GET": PUBLIC}),
    "regions/<region>": Route({"GET": PUBLIC}, HERE),
    "account/privacy": Route({"GET": PERSON}),
    "account/privacy/data": Route({"POST": Rule(signed_in)}),
    "account/privacy/erase": Route({"POST": Rule(signed_in, {"confirm": "not mine"})}),
}
API: dict[str, Route] = {
    "api/v1/audit": Route({"GET": PERSON}),
    "api/v1/audit/export": Route({"GET": PERSON}),
    "api/v1/audit/head": Route({"GET": PERSON}),
    "api/v1/audit/<event>": Route({"GET": EVENT}),
    "api/v1/regions": Route({"GET": PERSON}),
    "api/v1/regions/<region>": Route({"GET": PERSON}, HERE),
    "api/v1/regions/<region>/ca": Route({"GET": PERSON}, HERE),
    "api/v1/me/data": Route({"GET": Rule(unscoped)}),
}
