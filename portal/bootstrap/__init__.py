"""What runs before anything is installed: data directory, account, interpreter, ``.venv``.

Standard library only, and syntax that an older Python can read, so that it can say plainly what is missing.
"""
