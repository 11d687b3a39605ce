"""Charts of a service's load, from the series that ``settings.METRICS`` answers with."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.utils.functional import Promise

from portal.clusters.backends.base import Series
from portal.core.offerings import Metric, Offering
from portal.resources.presenters.notices import spaced

POINTS = 60  # the most that a chart draws
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart: a value, or a gap, for each of the chart's times."""

    name: str | Promise
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """What the ``chart`` tag draws."""

    slug: str
    title: str | Promise
    unit: str
    help: str | Promise
    times: list[datetime.datetime]
    curves: list[Curve]

    @property
    def newest(self) -> list[tuple[str | Promise, float | None]]:
        """Return the last value of each curve, for the figures above the charts."""
        return [(curve.name, curve.values[-1] if curve.values else None) for curve in self.curves]


def charts_of(offering: Offering, series: Iterable[Series]) -> list[Chart]:
    """Return a chart for each declared metric; where an offering declares none, one for each series.

    What a kind of cluster never measures is left out where it measures others.
    """
    known = {item.name: item for item in series}
    metrics = offering.metrics or tuple(_undeclared(item) for item in known.values())
    charts = [_chart(metric, known) for metric in metrics]
    return [chart for chart in charts if chart.curves] or charts


def _undeclared(series: Series) -> Metric:
    name = spaced(series.name.removesuffix("_total").replace("_", " ").title().replace(" ", ""))
    unit = "per_second" if series.name.endswith("_total") else series.unit or "count"
    return Metric(series.name, name, unit, ((series.name, name),))


def _chart(metric: Metric, known: Mapping[str, Series]) -> Chart:
    drawn = [(label, _drawable(known[source])) for source, label in metric.sources if source in known]
    times = sorted({at for _label, points in drawn for at, _value in points})
    times = times[:: max(1, -(-len(times) // POINTS))]
    curves = [Curve(label, _aligned(dict(points), times)) for label, points in drawn]
    stamps = [datetime.datetime.fromtimestamp(at, datetime.UTC) for at in times]
    return Chart(metric.slug, metric.name, metric.unit, metric.help, stamps, curves)


def _drawable(series: Series) -> Points:
    """Return a series as it is drawn: counters as what they grow by in a second."""
    return rates(series.points) if series.name.endswith("_total") else series.points


def rates(points: Points) -> list[tuple[float, float]]:
    """Return a counter's growth per second; where it fell the engine was restarted, and that step is left out."""
    pairs = pairwise(points)
    return [
        (at, (value - before) / (at - since))
        for (since, before), (at, value) in pairs
        if at > since and value >= before
    ]


def _aligned(values: Mapping[float, float], times: Sequence[float]) -> list[float | None]:
    return [values.get(at) for at in times]
