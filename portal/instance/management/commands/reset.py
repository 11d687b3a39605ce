"""``manage.py reset`` for ``help``; run, it is ``portal.instance.care.resetting``, without Django."""

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.instance.care import resetting


class Command(BaseCommand):
    help = resetting.HELP
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand every argument on unread."""
        resetting.main(settings.BASE_DIR, settings.ARCHIPEL_DATA, argv[2:])
