"""What a change that an engine takes up by a restart does to open connections: declared per kind of cluster."""

from dataclasses import dataclass
from enum import StrEnum


class Interruption(StrEnum):
    """How connections fare in a change."""

    NONE = "none"
    RESTART = "restart"  # they drop until the engine is back
    ROLLING = "rolling"  # node after node, those to each until it is back
    SWITCHOVER = "switchover"  # once, while another node takes over
    STOP = "stop"  # until the service is started again


@dataclass(frozen=True, slots=True)
class Restart:
    """How an engine restarts on one kind of cluster.

    ``seconds``: about how long connections drop; None where nobody can know. ``switchover``: of several nodes another
    takes over before the turn of the one that is written to.
    """

    seconds: int | None = None
    switchover: bool = False

    def interruption(self, nodes: int) -> Interruption:
        """Return how connections to a service of so many nodes fare."""
        if nodes == 1 or self.seconds is not None:
            return Interruption.RESTART
        return Interruption.SWITCHOVER if self.switchover else Interruption.ROLLING
