"""``manage.py supervisor``: keep this machine's services as they were ordered. Started by ``up``; needs no database."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.clusters.backends.local.supervisor.service import AlreadyRunning, serve
from portal.clusters.backends.local.supervisor.wake import Waker, celery_sender


class Command(BaseCommand):
    """Runs until SIGTERM (stops all services) or SIGUSR1 (leaves them for the next supervisor)."""

    help = "Run the local region's supervisor."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            serve(settings.ARCHIPEL_DATA, settings.ARCHIPEL_PACKAGES, Waker(celery_sender()))
        except (AlreadyRunning, PermissionError) as error:
            raise CommandError(str(error)) from error
