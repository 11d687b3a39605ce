"""The benchmarks use the same portal as the journeys."""

from tests.journeys.conftest import api, instance

__all__ = ["api", "instance"]
