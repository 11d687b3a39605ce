"""The engine: looks at what is asked and what is there, and may run twice without harm (DESIGN 3 and 8).

``reconcile`` is one turn for one service: claim → render → apply → read → observe → one conditional write.
"""

from portal.resources.engine.turn import reconcile

__all__ = ["reconcile"]
