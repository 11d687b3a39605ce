#!/usr/bin/env python3
"""Every command of Archipel: ``python3 manage.py up`` serves, ``python3 manage.py test`` tests (README)."""

from portal.bootstrap.launch import main

PLAIN = {  # run without Django around them
    "up": "portal.instance.up",
    "test": "portal.instance.trial",
    "restore": "portal.instance.care.restoring",
    "reset": "portal.instance.care.resetting",
    "down": "portal.instance.care.downing",
    "devcluster": "portal.instance.devcluster",
}

if __name__ == "__main__":
    main(plain=PLAIN, alone="portal.instance.alone")
