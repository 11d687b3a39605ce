"""What the routes of notifications, webhooks and announcements take."""

from tests.matrix.rules import PERSON, PUBLIC, Route, Rule, needs, own_token, signed_in, weaker_token

HOOK = "organizations/<organization>/webhooks"
ONE = f"{HOOK}/<webhook>"
NEW = {"url": "https://93.184.215.14/hook"}  # an address, so that nobody is asked for a name
CHOICE = {"kind": "member.added", "console": True, "mail": False}


def webhooks(**body: object) -> Rule:
    return Rule(needs("organization.read", "organization.webhooks"), body)


CONSOLE: dict[str, Route] = {
    "announcements": Route({"GET": PUBLIC}),
    "notifications": Route({"GET": PERSON}),
    "notifications/read": Route({"POST": PERSON}),
    "notifications/<notification>/open": Route({"POST": Rule(own_token)}),
    "account/notifications": Route({"GET": PERSON, "POST": Rule(signed_in, {"role.changed:mail": "on"})}),
    HOOK: Route({"GET": webhooks()}),
    f"{HOOK}/new": Route({"GET": webhooks(), "POST": webhooks(**NEW)}),
    ONE: Route({"GET": webhooks()}),
    f"{ONE}/edit": Route({"GET": webhooks(), "POST": webhooks(**NEW)}),
    f"{ONE}/rotate": Route({"POST": webhooks()}),
    f"{ONE}/test": Route({"POST": webhooks()}),
    f"{ONE}/delete": Route({"POST": webhooks()}),
    f"{ONE}/deliveries/<delivery>": Route({"GET": webhooks()}),
    f"{ONE}/deliveries/<delivery>/replay": Route({"POST": webhooks()}),
}
API: dict[str, Route] = {
    "api/v1/announcements": Route({"GET": PUBLIC}),
    "api/v1/notifications": Route({"GET": PERSON}),
    "api/v1/notifications/read": Route({"POST": Rule(weaker_token)}),
    "api/v1/notifications/preferences": Route({"GET": PERSON, "PUT": Rule(weaker_token, CHOICE)}),
    f"api/v1/{HOOK}": Route({"GET": webhooks(), "POST": webhooks(**NEW)}),
    f"api/v1/{ONE}": Route({"GET": webhooks(), "PATCH": webhooks(description="x"), "DELETE": webhooks()}),
    f"api/v1/{ONE}/rotate": Route({"POST": webhooks()}),
    f"api/v1/{ONE}/test": Route({"POST": webhooks()}),
    f"api/v1/{ONE}/deliveries": Route({"GET": webhooks()}),
    f"api/v1/{ONE}/deliveries/<delivery>": Route({"GET": webhooks()}),
    f"api/v1/{ONE}/deliveries/<delivery>/replay": Route({"POST": webhooks()}),
}
