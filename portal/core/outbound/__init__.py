"""Where the portal goes on a tenant's word: every URL that a tenant gives is checked and asked here (DESIGN 12).

``check`` is for what is typed (create, update), ``request`` for going there; both look at the address anew, and what
was looked at is what is connected to. What an operator may allow: ``OUTBOUND_NETWORKS``, ``OUTBOUND_HTTP``,
``OUTBOUND_PORTS``, ``OUTBOUND_CA`` (README, "In production").
"""

from portal.core.outbound.sending import Answer, Caps, Unanswered, request
from portal.core.outbound.targets import Refused, Target, check, resolve

__all__ = ["Answer", "Caps", "Refused", "Target", "Unanswered", "check", "request", "resolve"]
