"""``manage.py addcluster NAME --kubeconfig FILE --region SLUG``: a Kubernetes cluster; its region too, if it is new."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.clusters.adding import NewRegion, add_cluster
from portal.clusters.backends.kubernetes.settings import ClusterSettings
from portal.clusters.models import Region
from portal.core.actors import SYSTEM
from portal.core.errors import Problem


class Command(BaseCommand):
    help = "Add a Kubernetes cluster, which takes orders at once. Its kubeconfig is checked and kept encrypted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--kubeconfig", required=True, metavar="FILE", help="- reads it from standard input")
        parser.add_argument("--region", required=True, metavar="SLUG", help="made where there is none")
        parser.add_argument("--region-name", default="", metavar="NAME", help="of a new region, as customers read it")
        names = ", ".join(ClusterSettings.model_fields)
        parser.add_argument(
            "--set", action="append", default=[], metavar="key=value", dest="given", help=f"a list is JSON. {names}"
        )
        parser.add_argument("--unchecked", action="store_true", help="also where it does not answer now")
        parser.add_argument("--reason", default="added at the machine", help="what the audit log is to say")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cluster = add_cluster(
                SYSTEM,
                name=options["name"],
                region=_region(options["region"], options["region_name"]),
                kubeconfig=_content(options["kubeconfig"]),
                settings=dict(_pair(text) for text in options["given"]),
                reason=options["reason"],
                unchecked=options["unchecked"],
            )
        except Problem as problem:
            raise CommandError(_explained(problem)) from problem
        found = cluster.capabilities
        for trouble in found.get("problems") or ():
            self.stderr.write(trouble)
        version = f"Kubernetes {found['version']}" if found else "has not answered yet"
        self.stdout.write(f"{cluster.name} in region {cluster.region.slug}: {version}.")


def _region(slug: str, name: str) -> Region | NewRegion:
    return Region.objects.filter(slug=slug).first() or NewRegion(slug, name)


def _content(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CommandError(f"--kubeconfig {file} can't be read: {said}.") from error


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--set {text}: write key=value")
    try:
        return key, json.loads(value) if value.startswith(("[", "{")) else value
    except json.JSONDecodeError as error:
        raise CommandError(f"--set {key}: this list is not JSON") from error


def _explained(problem: Problem) -> str:
    return "\n".join(f"{error.pointer[1:]}: {error.detail}" for error in problem.errors) or problem.detail
