"""What the routes of service accounts, quotas and requests for more take."""

from collections.abc import Callable

from tests.matrix.rules import ALLOWED, HIDDEN, REFUSED, SIGN_IN, Route, Rule, needs, project
from tests.matrix.world import Who

ASKED = {"resource": "services", "limit": 900, "reason": "A launch."}
MACHINE = "organizations/<organization>/service-accounts"


def of_organization(permission: str) -> Callable[[Who], str]:
    """Return the verdict for an act on a whole organization, of which a limited token has the name alone."""

    def verdict(who: Who) -> str:
        if who.user is None:
            return SIGN_IN
        if "organization.read" not in who.in_organization:
            return HIDDEN
        return ALLOWED if permission in who.in_organization else REFUSED

    return verdict


def machines(**body: object) -> Rule:
    return Rule(needs("organization.read", "organization.machines"), body)


USAGE = Rule(of_organization("costs.read"))
ASK = Rule(of_organization("quota.request"), ASKED)
CONSOLE: dict[str, Route] = {
    MACHINE: Route({"GET": machines(), "POST": machines(name="new", role="member")}),
    f"{MACHINE}/<account>": Route({"GET": machines(), "POST": machines(name="new", access="read", expires="30")}),
    f"{MACHINE}/<account>/change": Route({"POST": machines(name="renamed", role="member")}),
    f"{MACHINE}/<account>/active": Route({"POST": machines(active="no")}),
    f"{MACHINE}/<account>/delete": Route({"POST": machines(confirm="robot")}),
    f"{MACHINE}/<account>/tokens/<machine_token>/revoke": Route({"POST": machines()}),
    "organizations/<organization>/quotas": Route({"GET": USAGE, "POST": ASK}),
    "organizations/<organization>/quotas/<organization_request>/withdraw": Route({"POST": Rule(ASK.verdict)}),
    "projects/<project>/quotas": Route({"GET": project(), "POST": project("quota.request", **ASKED)}),
    "projects/<project>/quotas/<quota_request>/withdraw": Route({"POST": project("quota.request")}),
}
API: dict[str, Route] = {
    f"api/v1/{MACHINE}": Route({"GET": machines(), "POST": machines(name="new")}),
    f"api/v1/{MACHINE}/<account>": Route({"GET": machines(), "PATCH": machines(name="renamed"), "DELETE": machines()}),
    f"api/v1/{MACHINE}/<account>/tokens": Route({"GET": machines(), "POST": machines(name="new", scopes=["read"])}),
    f"api/v1/{MACHINE}/<account>/tokens/<machine_token>": Route({"DELETE": machines()}),
    "api/v1/organizations/<organization>/quotas": Route({"GET": USAGE}),
    "api/v1/organizations/<organization>/quota-requests": Route({"GET": USAGE, "POST": ASK}),
    "api/v1/organizations/<organization>/quota-requests/<organization_request>/withdraw": Route(
        {"POST": Rule(ASK.verdict)}
    ),
    "api/v1/projects/<project>/quotas": Route({"GET": project()}),
    "api/v1/projects/<project>/quota-requests": Route({"GET": project(), "POST": project("quota.request", **ASKED)}),
    "api/v1/projects/<project>/quota-requests/<quota_request>/withdraw": Route({"POST": project("quota.request")}),
}
