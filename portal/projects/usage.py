"""How much of each limit is in use, for pages and API: ``settings.USAGE`` counts, ``quotas`` knows the limits."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils.module_loading import import_string

from portal.projects import quotas
from portal.projects.models import Organization, Project, QuotaRequest

# What settings.USAGE names: the amounts in use of some resources, in a project or (None) the whole organization.
Counter = Callable[[Organization, Project | None, Collection[str]], Mapping[str, Decimal]]
NEAR = 80  # percent


@dataclass(frozen=True, slots=True)
class Line:
    """One resource at one place: what is in use, the limit (None: there is none), and an open request for more."""

    resource: str
    name: str
    used: Decimal
    limit: int | None
    request: QuotaRequest | None = None

    @property
    def percent(self) -> int:
        """How full it is, 0 to 100; a limit of nothing is full."""
        if self.limit is None:
            return 0
        return min(100, int(self.used * 100 / self.limit)) if self.limit else 100

    @property
    def tone(self) -> str:
        if self.limit is not None and self.used >= self.limit:
            return "danger"
        return "warning" if self.percent >= NEAR else ""


def lines_of(organization: Organization, project: Project | None) -> list[Line]:
    """Return what is in use of everything that can be limited; families only where they are."""
    limits, names = quotas.effective(organization, project), quotas.resources()
    shown = [name for name in names if name in quotas.NAMES or name in limits]
    shown += [name for name in limits if name not in names]  # of a family that left the code
    count: Counter = import_string(settings.USAGE)
    used = count(organization, project, shown)
    waiting = quotas.requests_of(organization, project).filter(state=QuotaRequest.State.OPEN)
    open_ones = {request.resource: request for request in waiting}
    return [Line(name, names.get(name, name), used[name], limits.get(name), open_ones.get(name)) for name in shown]
