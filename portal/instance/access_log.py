"""The web processes' logs: gunicorn's own, without the keys that stand in addresses."""

import datetime
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from portal.core.logs import WithoutKeys, without_keys


class AccessLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    def setup(self, cfg: Any) -> None:
        """Begin to write; an error names the address that it happened at."""
        super().setup(cfg)
        self.error_log.addFilter(WithoutKeys())

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: datetime.timedelta) -> dict[str, Any]:
        """Return what a line is made of: the request line and the page it came from among it."""
        atoms = super().atoms(resp, req, environ, request_time)
        return {name: without_keys(value) if isinstance(value, str) else value for name, value in atoms.items()}
