"""What an operator says of a Kubernetes cluster: ``Cluster.settings``, checked, with a form and ``--set`` made from it.

Drivers and the backend read the stored mapping, in which only what differs from the defaults stands.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from pydantic import AfterValidator

from portal.core import specs
from portal.core.errors import FieldError, invalid
from portal.core.specs import Spec, spec_field

_PART = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_PART}(\.{_PART})*")
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(gettext("Write small letters, digits, hyphens and dots, as Kubernetes names things."))
    return text


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError(gettext("Write an address such as https://s3.example.org, without user and password."))
    return text


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(gettext("Write a network such as 10.0.0.0/24.")) from error


Name = Annotated[str, AfterValidator(_name)]
Url = Annotated[str, AfterValidator(_url)]
Network = Annotated[str, AfterValidator(_network)]


class ClusterSettings(Spec):
    """Everything has a default: a cluster can be added without a word of this."""

    storage_class: Name | None = spec_field(
        None, title=_("Storage class"), help=_("Of the services' disks. Empty: the cluster's default class.")
    )
    bucket_class: Name | None = spec_field(
        None,
        title=_("Bucket class"),
        help=_("The storage class of ObjectBucketClaims, for backups. Empty: services here have no backups."),
    )
    s3_endpoint: Url | None = spec_field(
        None,
        title=_("Address of the buckets"),
        help=_("Where pods reach the store of the buckets, such as https://s3.example.org."),
    )
    prometheus_url: Url | None = spec_field(
        None,
        title=_("Prometheus"),
        help=_("Its address, where the charts of services come from. Empty: the cluster's own current figures."),
    )
    cluster_domain: Name = spec_field(
        "cluster.local", title=_("Cluster domain"), help=_("What the names of Services end in within the cluster.")
    )
    pod_security: Literal["restricted", "baseline", "privileged"] = spec_field(
        "restricted",
        title=_("Pod security"),
        help=_("The Pod Security Standard that the namespaces of customers enforce."),
    )
    operator_namespaces: list[Name] = spec_field(
        [],
        title=_("Namespaces of operators"),
        help=_("One on each line: where CloudNativePG and the other operators run. Their pods may reach services."),
        max_length=50,
    )
    monitoring_namespaces: list[Name] = spec_field(
        [],
        title=_("Namespaces of monitoring"),
        help=_("One on each line: whose pods may read services' own figures."),
        max_length=50,
    )
    dns_namespace: Name = spec_field(
        "kube-system", title=_("Namespace of DNS"), help=_("Where the cluster's name servers run.")
    )
    api_networks: list[Network] = spec_field(
        [],
        title=_("Networks of the API server"),
        help=_("One on each line, such as 10.0.0.1/32, for pods that talk to it. Empty: any, on ports 443 and 6443."),
        max_length=50,
    )
    store_networks: list[Network] = spec_field(
        [],
        title=_("Networks of the buckets"),
        help=_("One on each line: where the store of the buckets is, which pods may reach."),
        max_length=50,
    )
    public_domain: Name | None = spec_field(
        None,
        title=_("Public domain"),
        help=_("Services are reached from outside by names in it. Empty: from inside the cluster only."),
    )
    postgresql_image_catalog: Name | None = spec_field(
        None,
        title=_("Catalog of PostgreSQL images"),
        help=_("A ClusterImageCatalog of CloudNativePG to take images from. Empty: the operator's own images."),
    )


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be stored of these settings. Raises Problem that names each wrong or unknown field."""
    found, errors = specs.validate(ClusterSettings, given, at="/settings")
    if found is None:
        raise invalid(*errors)
    if bool(getattr(found, "bucket_class", None)) != bool(getattr(found, "s3_endpoint", None)):
        raise invalid(
            FieldError(
                "/settings/s3_endpoint",
                "required",
                gettext("A bucket class and the address of its buckets go together."),
            )
        )
    return found.model_dump(mode="json", exclude_defaults=True)


def read(stored: Mapping[str, Any]) -> ClusterSettings:
    """Return the settings of a cluster with the defaults filled in."""
    found = specs.load(ClusterSettings, stored)
    assert isinstance(found, ClusterSettings)  # noqa: S101 - load returns what it is given
    return found
