"""A quote as the API shows it."""

from typing_extensions import TypedDict

from portal.core.api.shapes import Json, Moment, PriceJson, moment, public_id
from portal.resources.models import Quote


class QuoteJson(TypedDict):
    """What an order or a change would cost and do; an order may cite its ``id`` until ``expires_at``."""

    id: str
    service: str | None
    before: PriceJson | None
    after: PriceJson
    delta: Json
    quota: Json
    downtime_seconds: int
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
        "downtime_seconds": quote.body["downtime_seconds"],
        "expected_seconds": quote.body["expected_seconds"],
        "expires_at": moment(quote.expires_at),
    }
