"""What a change in a cluster is to a service: a reason to look at it now. Called by ``manage.py watchclusters``."""

from portal.resources import tasks
from portal.resources.engine import claim


def woken(handle: str) -> None:
    """Make a service due and ask for a turn: the row is due even where the message is lost."""
    resource_id = claim.wake(handle=handle)
    if resource_id is not None:
        tasks.enqueue(resource_id)
