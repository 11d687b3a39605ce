"""``manage.py worker``: one process of the portal on its own, set up by the environment."""

import os
from typing import Any

from django.core.management.base import BaseCommand

from portal.instance import commands


class Command(BaseCommand):
    help = "Runs Celery tasks."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        command = commands.worker()
        os.execv(command[0], command)  # noqa: S606 - becomes the server, so that its signals need no passing on
