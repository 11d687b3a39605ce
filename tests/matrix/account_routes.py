"""Routes of signing in, of one's own account and of founding an organization, with what each takes."""

from tests.matrix.rules import (
    ALLOWED,
    HIDDEN,
    LEAVE,
    PERSON,
    PUBLIC,
    REFUSED,
    SIGN_IN,
    Route,
    Rule,
    away,
    hidden,
    needs,
    own_token,
    signed_in,
)
from tests.matrix.world import Who

NEVER = {"pk": "2147483647"}


def staff_alone(who: Who) -> str:
    """The provider's people have a code app in this world, and nobody else."""
    if who.user is None:
        return SIGN_IN
    return ALLOWED if who.name in ("operator", "support") else HIDDEN


def not_there(who: Who) -> str:
    """Nobody has recovery codes or a passkey here."""
    return HIDDEN if who.user else SIGN_IN


def founder(who: Who) -> str:
    """A whole person founds: no service account, no token that is narrowed."""
    if who.user is None:
        return SIGN_IN
    return REFUSED if who.scopes or who.user.is_machine else ALLOWED


FORM, OWN = {"GET": PUBLIC, "POST": PUBLIC}, {"GET": PERSON, "POST": PERSON}
NOTHING = {"GET": Rule(not_there), "POST": Rule(not_there)}
SECURITY = Rule(needs("organization.read", "organization.edit"))
POLICY = {"GET": SECURITY, "PATCH": Rule(SECURITY.verdict, {"mfa_required": False})}
FOUNDING = Rule(founder, {"name": "Founded", "project": "First"})
ACCOUNT: dict[str, Route] = {
    "sign-in": Route(FORM),
    "sign-in/passkey": Route(OWN),  # who is not in yet is led back to the way in
    "sign-in/second-factor": Route(OWN),
    "sign-in/closed": Route({"GET": PUBLIC}),
    "sign-in/with/<provider_id>": Route({"POST": Rule(hidden)}, {"provider": "never"}),
    "sign-in/with/<provider_id>/back": Route({"GET": Rule(hidden)}, {"provider": "never"}),
    "sign-in/<token>": Route(FORM, {"token": "spent"}),
    "sign-out": Route({"POST": LEAVE}),
    "sign-up": Route({"GET": PUBLIC, "POST": Rule(PUBLIC.verdict, {"email": "new@new.example", "password1": "x"})}),
    "confirm-address": Route(OWN),
    "password/forgotten": Route(FORM),
    "password/code": Route({"GET": Rule(away), "POST": Rule(away)}),
    "password/new": Route(FORM),
    "password/done": Route({"GET": PUBLIC}),
    "account": Route({"GET": PERSON, "POST": Rule(signed_in, {"name": "New"})}),
    "account/email": Route({"GET": PERSON, "POST": Rule(signed_in, {"email": "new@new.example", "action_add": ""})}),
    "account/password": Route(OWN),
    "account/password/first": Route(OWN),
    "account/sessions": Route({"GET": PERSON}),
    "account/sessions/end-others": Route({"POST": PERSON}),
    "account/sessions/<session>/end": Route({"POST": Rule(own_token)}),  # the session of the paths is theirs too
    "account/confirm": Route(OWN),
    "account/confirm/code": Route(OWN),
    "account/confirm/passkey": Route(OWN),
    "account/confirm/sign-in": Route({"GET": PERSON}),
    "account/security": Route({"GET": PERSON}),
    "account/security/app": Route(OWN),
    "account/security/app/remove": Route({"GET": Rule(staff_alone), "POST": Rule(staff_alone)}),
    "account/security/codes": Route({"GET": Rule(not_there)}),
    "account/security/codes/new": Route(OWN),
    "account/security/passkeys/new": Route(OWN),
    "account/security/passkeys/<pk>/edit": Route(NOTHING, NEVER),
    "account/security/passkeys/<pk>/remove": Route(NOTHING, NEVER),
    "account/security/links/<link>/remove": Route({"POST": Rule(own_token)}),
    "account/tokens": Route({"GET": PERSON, "POST": Rule(signed_in, {"name": "made"})}),
    "account/tokens/<token>/revoke": Route({"POST": Rule(own_token)}),
    "welcome": Route({"GET": PERSON, "POST": Rule(signed_in, {"name": "Founded", "project": "First"})}),
    "organizations/<organization>/security": Route({"GET": SECURITY, "POST": SECURITY}),
}
