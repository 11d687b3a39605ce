"""What services cost now, each different price asked for once in a page."""

import json

from portal.core.pricing import Price
from portal.resources.models import Resource
from portal.resources.parts import price_with_parts


class Prices:
    """The prices of one page: services of the same plan and settings are asked for once."""

    def __init__(self) -> None:
        self._known: dict[str, Price] = {}

    def of(self, resource: Resource) -> Price:
        """Return what the service costs while it is as it is."""
        running = resource.running and resource.deletion_requested_at is None
        asked = [resource.offering_slug, resource.plan_slug, resource.spec, resource.region.slug, running]
        key = json.dumps(asked, sort_keys=True)
        if key not in self._known:
            spec, region = resource.load_spec(), resource.region.slug
            self._known[key] = price_with_parts(resource.offering, resource.plan, spec, region=region, running=running)
        return self._known[key]
