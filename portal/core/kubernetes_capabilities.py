"""What a service in a Kubernetes region has from the portal itself, whichever operator serves it."""

from django.utils.translation import gettext_lazy as _

from portal.core.offerings import Yes

METRICS = Yes(
    _(
        "Processor, memory and disk of all nodes where the region has Prometheus, else processor and "
        "memory of the moment where it has a metrics server; none of the engine's own."
    ),
    ("kubernetes",),
)
LOGS = Yes(_("The newest lines of all nodes, and what the cluster warns of."), ("kubernetes",))
