"""Pieces that answers share. An answer is a TypedDict: mypy checks who makes it, pydantic describes it (OpenAPI)."""

import datetime
import uuid
from decimal import Decimal
from typing import Annotated, Any, overload

from pydantic import Field
from typing_extensions import TypedDict

from portal.core import ids
from portal.core.pricing import Price

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Json = dict[str, Any]


class PriceLineJson(TypedDict):
    """One component of a price."""

    component: str
    name: str
    hourly: str


class PriceJson(TypedDict):
    """What something costs while it runs, net of tax; decimal strings. The month (730 h) is an estimate."""

    currency: str
    hourly: str
    monthly_estimate: str
    lines: list[PriceLineJson]


def price_json(price: Price) -> PriceJson:
    """Return a price as the API says it."""
    wire = price.as_json()
    return {
        "currency": wire["currency"],
        "hourly": wire["hourly"],
        "monthly_estimate": wire["monthly_estimate"],
        "lines": wire["lines"],
    }


@overload
def moment(value: datetime.datetime) -> Moment: ...


@overload
def moment(value: datetime.datetime | None) -> Moment | None: ...


def moment(value: datetime.datetime | None) -> Moment | None:
    """Return a time as RFC 3339 in UTC, to the microsecond, so that it can be sent back as a filter."""
    if value is None:
        return None
    return value.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def public_id(prefix: str, key: uuid.UUID | None) -> str | None:
    """Return the public form of an id that may be missing."""
    return None if key is None else ids.encode(prefix, key)


def plain_number(value: Decimal) -> float:
    """Return a count such as vCPU as a JSON number: whole where it is whole. Never for money."""
    return int(value) if value == value.to_integral_value() else float(value)
