"""``manage.py test`` for ``help``; run, it is ``portal.instance.trial``, without Django."""

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.instance import trial


class Command(BaseCommand):
    help = "Runs the test suite; arguments are pytest's. --full adds the long runs."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand every argument to pytest unread."""
        trial.main(settings.BASE_DIR, settings.ARCHIPEL_DATA, argv[2:])
