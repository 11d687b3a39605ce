"""The embedded backend: real engines as supervised, sandboxed, unprivileged processes on this machine.

``backend.py`` records wishes and reads what was seen; ``supervisor/`` is the one process that makes them true.
"""
