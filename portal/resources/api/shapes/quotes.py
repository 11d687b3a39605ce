"""A quote as the API shows it."""

from typing import Literal

from typing_extensions import TypedDict

from portal.core.api.shapes import Json, Moment, PriceJson, moment, public_id
from portal.resources.actions.quotes import interruption_of
from portal.resources.models import Quote


class QuoteJson(TypedDict):
    """What an order or a change would cost and do; an order may cite its ``id`` until ``expires_at``.

    ``interruption`` says what happens to open connections, ``downtime_seconds`` for about how long; null where nobody
    can know.
    """

    id: str
    service: str | None
    before: PriceJson | None
    after: PriceJson
    delta: Json
    quota: Json
    interruption: Literal["none", "restart", "rolling", "switchover", "stop"]
    downtime_seconds: int | None
    expected_seconds: int
    expires_at: Moment


def quote_json(quote: Quote) -> QuoteJson:
    return {
        "id": quote.public_id,
        "service": public_id("svc", quote.resource_id),
        "before": quote.body["before"],
        "after": quote.body["after"],
        "delta": quote.body["delta"],
        "quota": quote.body["quota"],
        "interruption": interruption_of(quote).value,
        "downtime_seconds": quote.body["downtime_seconds"],
        "expected_seconds": quote.body["expected_seconds"],
        "expires_at": moment(quote.expires_at),
    }
