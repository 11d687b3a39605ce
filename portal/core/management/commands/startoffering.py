"""``manage.py startoffering FAMILY SLUG``: the skeleton of an offering, which works as it stands. Nothing is edited."""

import re
from argparse import ArgumentParser
from pathlib import Path
from string import Template
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

SKELETON = Path(__file__).resolve().parents[2] / "skeleton"
SLUG = re.compile(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?")
FAMILY_APP = """from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class {klass}Config(AppConfig):
    name = "apps.{family}"
    label = "{family}"
    verbose_name = _("{title}")
    icon = "box"
"""


class Command(BaseCommand):
    help = "Write the skeleton of a new offering into apps/FAMILY/offerings/; nothing else has to be edited."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("family", help="the app under apps/ that sells it; made where there is none yet")
        parser.add_argument("slug", help="as customers write it: postgresql, valkey …")

    def handle(self, *args: Any, **options: Any) -> None:
        family, slug = options["family"], options["slug"]
        for word in (family, slug):
            if not SLUG.fullmatch(word):
                raise CommandError(f"{word}: use lower-case letters, digits and hyphens; begin with a letter")
        module = slug.replace("-", "_")
        folder = settings.BASE_DIR / "apps" / family.replace("-", "_") / "offerings" / module
        if folder.exists():
            raise CommandError(f"{folder} is there already")
        _make_family(family.replace("-", "_"))
        for path in _write(folder, family.replace("-", "_"), slug):
            self.stdout.write(str(path.relative_to(settings.BASE_DIR)))


def _make_family(family: str) -> None:
    """Make the app of a new family; ``settings`` finds it."""
    folder = settings.BASE_DIR / "apps" / family
    offerings = folder / "offerings"
    offerings.mkdir(parents=True, exist_ok=True)
    for path in (folder / "__init__.py", offerings / "__init__.py"):
        path.touch()
    config = folder / "apps.py"
    if not config.exists():
        config.write_text(FAMILY_APP.format(klass=_klass(family), family=family, title=family.capitalize()), "utf-8")


def _write(folder: Path, family: str, slug: str) -> list[Path]:
    folder.mkdir()
    title = slug.replace("-", " ").title()
    words = {"family": family, "slug": slug, "module": folder.name, "name": title, "klass": _klass(slug)}
    written = []
    for template in sorted(SKELETON.glob("*.py-tpl")):
        path = folder / template.name.removesuffix("-tpl")
        path.write_text(Template(template.read_text("utf-8")).substitute(words), "utf-8")
        written.append(path)
    return written


def _klass(slug: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[-_]", slug))
