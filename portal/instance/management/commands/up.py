"""``manage.py up`` for ``help``; run, it is ``portal.instance.up`` without Django, which starts sooner."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from portal.instance import up


class Command(BaseCommand):
    help = "Serves the whole portal from one data directory until Ctrl-C or SIGTERM."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        up.add_arguments(parser)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        up.main(settings.BASE_DIR, settings.ARCHIPEL_DATA, ["--port", str(port)])
