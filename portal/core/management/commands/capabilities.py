"""``manage.py capabilities``: the README's table of what each service can do, from the declarations."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.core import registry
from portal.core.offerings import Capabilities, No, Offering, Text, Yes


class Command(BaseCommand):
    help = "Print what each offering can do, as the table that stands in the README."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(table())


def table() -> str:
    """Return a Markdown table: one line per offering, a reason for every no below it."""
    names = list(Capabilities.__dataclass_fields__)
    heading = ["service", *(name.replace("_", " ") for name in names)]
    lines = [_line(heading), _line(["---"] * len(heading))]
    reasons = []
    for offering in sorted(registry.offerings().values(), key=lambda item: item.name):
        capabilities = offering.capabilities.as_dict()
        lines.append(_line([offering.name, *("yes" if capabilities[name] else "no" for name in names)]))
        for name, answer in capabilities.items():
            reasons += [f"- {offering.name}, {name.replace('_', ' ')}{words}" for words in _bounds(offering, answer)]
    return "\n".join([*lines, "", *reasons])


def _bounds(offering: Offering, answer: Yes | No) -> list[str]:
    """Return why not, and where else not: what holds on each kind of cluster where they differ."""
    if isinstance(answer, No):
        return [f": {answer.reason}"]
    other = [backend for backend in offering.drivers if backend not in answer.backends]
    return [f" ({backend}): {_words(answer.on(backend))}" for backend in other]


def _words(answer: Yes | No) -> Text:
    return answer.note if isinstance(answer, Yes) else answer.reason


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
