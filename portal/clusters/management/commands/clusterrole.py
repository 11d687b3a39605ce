"""``manage.py clusterrole``: the portal's account in a Kubernetes cluster, with exactly the rights that it uses."""

from collections.abc import Collection
from typing import Any

import yaml
from django.core.management.base import BaseCommand

from portal.clusters.backends.kubernetes.rights import documents, offerings

HEAD = """\
# The portal's account in a Kubernetes cluster. Printed by manage.py clusterrole from what the offerings declare.
# Offerings: {offerings}
#
#   kubectl apply -f clusterrole.yaml
#   token=$(kubectl -n archipel-system get secret archipel-token -o jsonpath='{.data.token}' | base64 -d)
#   kubectl config view --minify --flatten -o json |
#     jq --arg token "$token" '.users[0].user = {token: $token}' > archipel.json
#   manage.py addcluster NAME --kubeconfig archipel.json --region REGION
"""


class Command(BaseCommand):
    help = (
        "Print what a Kubernetes cluster needs for the portal to use it: account, roles, bindings (kubectl apply -f -)."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(text(), ending="")


def text(slugs: Collection[str] | None = None) -> str:
    """Return the documents as YAML, for these offerings or for all."""
    head = HEAD.replace("{offerings}", ", ".join(offerings() if slugs is None else slugs))
    return head + yaml.safe_dump_all(documents(slugs), sort_keys=False, width=120)
