"""What the routes of organizations, their people and invitations take, and moving a service between their projects."""

from tests.matrix.rules import (
    ALLOWED,
    HIDDEN,
    PERSON,
    PUBLIC,
    REFUSED,
    SIGN_IN,
    Route,
    Rule,
    needs,
    service,
    signed_in,
)
from tests.matrix.world import Who

ORG, DEAD = "organizations/<organization>", {"token": "never-made"}
INVITED = {"email": "new@acme.example", "role": "member"}


def organization(act: str = "", **body: object) -> Rule:
    return Rule(needs("organization.read", act), body)


def leaves(who: Who) -> str:
    """Who belongs to it may leave, but not by a token that manages no members, and no service account."""
    if who.user is None:
        return SIGN_IN
    if "organization.read" not in who.in_organization or who.name in ("operator", "support"):
        return HIDDEN
    by_weak_token = bool(who.scopes) and not who.may("organization.members")
    return REFUSED if by_weak_token or who.user.is_machine else ALLOWED


def reopens(who: Who) -> str:
    """An owner, or the provider with a reason."""
    if who.user is None:
        return SIGN_IN
    if "organization.read" not in who.in_organization:
        return HIDDEN
    return ALLOWED if who.may("organization.close") or "provider.operate" in who.in_organization else REFUSED


def moves(who: Who) -> str:
    """Everybody has the same role in the other project, but a token for this one alone does not reach it."""
    return HIDDEN if who.name == "project:acme-prod" else service("service.delete").verdict(who)


MEMBERS, CLOSE = "organization.members", "organization.close"
CONSOLE: dict[str, Route] = {
    "organizations": Route({"GET": PERSON}),
    ORG: Route({"GET": organization()}),
    f"{ORG}/members": Route({"GET": organization("organization.people")}),
    f"{ORG}/members/<member>": Route({"GET": organization(MEMBERS), "POST": organization(MEMBERS, role="member")}),
    f"{ORG}/members/<member>/remove": Route({"POST": organization(MEMBERS)}),
    f"{ORG}/invitations": Route({"GET": organization(MEMBERS), "POST": organization(MEMBERS, **INVITED)}),
    f"{ORG}/invitations/<invitation>/resend": Route({"POST": organization(MEMBERS)}),
    f"{ORG}/invitations/<invitation>/revoke": Route({"POST": organization(MEMBERS)}),
    f"{ORG}/settings": Route({"GET": organization(), "POST": organization("organization.edit", name="Renamed")}),
    f"{ORG}/leave": Route({"POST": Rule(leaves)}),
    f"{ORG}/transfer": Route(
        {
            "GET": organization("organization.transfer"),
            "POST": organization("organization.transfer", member="{member}", confirm="Acme"),
        }
    ),
    f"{ORG}/close": Route({"GET": organization(CLOSE), "POST": organization(CLOSE, confirm="Acme")}),
    f"{ORG}/close/bin": Route({"POST": organization(CLOSE)}),
    f"{ORG}/reopen": Route({"POST": Rule(reopens, {"reason": "x"})}),
    "invitations/<token>": Route({"GET": PUBLIC, "POST": PUBLIC}, DEAD),
    "services/<service_id>/move": Route(
        {"GET": service("service.delete"), "POST": service("service.delete", project="acme-twin")}
    ),
}
API: dict[str, Route] = {
    f"api/v1/{ORG}": Route({"GET": organization(), "PATCH": organization("organization.edit", name="Renamed")}),
    f"api/v1/{ORG}/members": Route({"GET": organization("organization.people")}),
    f"api/v1/{ORG}/members/<member>": Route(
        {
            "GET": organization("organization.people"),
            "PATCH": organization(MEMBERS, role="auditor"),
            "DELETE": organization(MEMBERS),
        }
    ),
    f"api/v1/{ORG}/invitations": Route({"GET": organization(MEMBERS), "POST": organization(MEMBERS, **INVITED)}),
    f"api/v1/{ORG}/invitations/<invitation>": Route({"GET": organization(MEMBERS), "DELETE": organization(MEMBERS)}),
    f"api/v1/{ORG}/invitations/<invitation>/resend": Route({"POST": organization(MEMBERS)}),
    f"api/v1/{ORG}/leave": Route({"POST": Rule(leaves)}),
    f"api/v1/{ORG}/transfer": Route({"POST": organization("organization.transfer", member="{member}")}),
    f"api/v1/{ORG}/close": Route({"GET": organization(CLOSE), "POST": organization(CLOSE, confirm="Acme")}),
    f"api/v1/{ORG}/reopen": Route({"POST": Rule(reopens)}),
    "api/v1/invitations/accept": Route({"POST": Rule(signed_in, DEAD)}),
    "api/v1/invitations/decline": Route({"POST": Rule(signed_in, DEAD)}),
    "api/v1/services/<service>/move": Route({"POST": Rule(moves, {"project": "acme-twin"})}),
}
