"""``manage.py restore`` for ``help``; run, it is ``portal.instance.care.restoring``, without Django."""

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.instance.care import restoring


class Command(BaseCommand):
    help = restoring.HELP
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand every argument on unread."""
        restoring.main(settings.BASE_DIR, settings.ARCHIPEL_DATA, argv[2:])
