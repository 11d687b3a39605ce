"""The one process that makes wishes true. Level-triggered: it compares what is asked with what is there, and converges.

``service.py`` is the process, ``instance.py`` one instance's way, ``engine.py`` a long-lived process, which
``keeper.py`` keeps for the main one and ``attendant.py`` for a companion, ``commands.py`` one-shots, ``runs.py`` day-2
work, ``record.py`` what it remembers over a crash. No Django model is needed here.
"""
