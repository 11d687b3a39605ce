"""``manage.py web``: one process of the portal on its own, set up by the environment."""

import os
from typing import Any

from django.core.management.base import BaseCommand

from portal.instance import commands


class Command(BaseCommand):
    help = "Serves HTTP with gunicorn; in production behind a proxy that ends TLS."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        command = commands.web()
        os.execv(command[0], command)  # noqa: S606 - becomes the server, so that its signals need no passing on
