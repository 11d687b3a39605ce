"""``manage.py removecluster NAME``: forgets a Kubernetes cluster that serves nobody."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.clusters.adding import remove_cluster
from portal.clusters.models import Cluster
from portal.core.actors import SYSTEM
from portal.core.errors import Problem


class Command(BaseCommand):
    help = "Forget a Kubernetes cluster. Refused while services are on it; what else runs there is left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--reason", default="removed at the machine", help="what the audit log is to say")

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster.objects.filter(name=options["name"]).first()
        if cluster is None:
            raise CommandError(f"There is no cluster {options['name']}.")
        try:
            remove_cluster(SYSTEM, cluster=cluster, reason=options["reason"])
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        self.stdout.write(f"{options['name']} is forgotten.")
