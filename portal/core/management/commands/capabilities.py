"""``manage.py capabilities``: the README's table of what each service can do, from the declarations."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.core import registry
from portal.core.offerings import Capabilities


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
            if not answer:
                reasons.append(f"- {offering.name}, {name.replace('_', ' ')}: {getattr(answer, 'reason', '')}")
    return "\n".join([*lines, "", *reasons])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
