#!/usr/bin/env python3
"""Every command of Archipel: ``python3 manage.py up`` serves, ``python3 manage.py test`` tests (README)."""

from portal.bootstrap.launch import main

if __name__ == "__main__":
    main(up="portal.instance.up", test="portal.instance.trial", alone="portal.instance.alone")
