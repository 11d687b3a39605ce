"""Lines in server-side SVG: sparklines, and charts as they look before (or without) ``charts.js``."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

Value = float | int | Decimal | None


class Line(NamedTuple):
    """A series for the template: its hue and the ``points`` attributes of its unbroken pieces."""

    name: str
    hue: int
    pieces: list[str]


def bounds(values: Iterable[Value], *, unit: str = "") -> tuple[float, float]:
    """Return the range to draw: from zero, to 100 for percent, never flat."""
    known = [float(value) for value in values if value is not None]
    low = min([0.0, *known])
    high = max([100.0] if unit == "percent" else known or [1.0])
    return low, high if high > low else low + 1


def pieces(values: Sequence[Value], width: int, height: int, low: float, high: float) -> list[str]:
    """Return polylines' points; a gap in the values is a gap in the line."""
    step = width / max(1, len(values) - 1)
    done: list[str] = []
    points: list[str] = []
    for index, value in enumerate([*values, None]):
        if value is None:
            if len(points) > 1:
                done.append(" ".join(points))
            points = []
            continue
        y = height - 1 - (float(value) - low) / (high - low) * (height - 2)
        points.append(f"{index * step:.1f},{y:.1f}")
    return done
