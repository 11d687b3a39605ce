"""``manage.py down`` for ``help``; run, it is ``portal.instance.care.downing``, without Django."""

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.instance.care import downing


class Command(BaseCommand):
    help = downing.HELP
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand every argument on unread."""
        downing.main(settings.BASE_DIR, settings.ARCHIPEL_DATA, argv[2:])
