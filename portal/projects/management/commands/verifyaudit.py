"""``manage.py verifyaudit``: walks the chains of the audit log. Here, since it names organizations by their slug."""

import uuid
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.audit import heads, verifying
from portal.audit.placing import Flaw
from portal.core import ids
from portal.projects.models import Organization

PLATFORM = "the platform itself"


class Command(BaseCommand):
    help = (
        "Verify the audit log: names each row that was changed, removed, reordered, cut off or put in, and ends with 1 "
        "if there is any. What somebody with all rights over the database did is found with a head file kept elsewhere."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--head", type=Path, metavar="FILE", help="a head file: audit-heads/DAY.json in the data directory"
        )
        parser.add_argument("--organization", metavar="SLUG", help="verify the chain of one organization alone")
        parser.add_argument("--export", type=Path, metavar="FILE", help="write the heads to a file, if all is well")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            marks = heads.load(options["head"]) if options["head"] else []
        except heads.Unreadable as error:
            raise CommandError(str(error)) from error
        only = _organization(options["organization"])
        names = dict(Organization.objects.values_list("id", "slug"))
        flaws = 0
        for report in verifying.verify(marks, only):
            flaws += len(report.flaws)
            self._tell(report, names)
        if flaws:
            raise CommandError(f"The audit log is damaged: {_count(flaws)}.")
        if options["export"]:
            heads.write(options["export"], heads.current())

    def _tell(self, report: verifying.Report, names: dict[uuid.UUID, str]) -> None:
        """Write one line on a chain, and one on each flaw and warning."""
        key = report.organization_id
        name = names.get(key, ids.encode("org", key)) if key else PLATFORM
        counts = f"{report.rows} rows sealed up to {report.sealed_to}, {report.unsealed} not sealed yet"
        more = f", {report.erased} values erased" if report.erased else ""
        self.stdout.write(f"{name}: {_count(len(report.flaws)) if report.flaws else 'ok'} ({counts}{more})")
        for flaw in report.flaws:
            self.stdout.write(f"  {_line(flaw)}")
        for warning in report.warnings:
            self.stdout.write(f"  warning: {warning}")


def _organization(slug: str | None) -> uuid.UUID | None:
    if not slug:
        return None
    organization = Organization.objects.filter(slug=slug).first()
    if organization is None:
        raise CommandError(f"There is no organization {slug}.")
    return organization.id


def _count(flaws: int) -> str:
    return "1 flaw" if flaws == 1 else f"{flaws} flaws"


def _line(flaw: Flaw) -> str:
    places = f"row {flaw.first or '?'}" if flaw.first == flaw.last else f"rows {flaw.first} to {flaw.last}"
    row = f" ({ids.encode('aud', flaw.row)})" if flaw.row else ""
    return f"{flaw.sort}: {places}{row}{f', {flaw.words}' if flaw.words else ''}"
