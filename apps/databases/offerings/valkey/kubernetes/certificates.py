"""The service's own authority and its certificate, by cert-manager: no node ever answers in clear text.

The operator takes a certificate and makes none; without one the cluster would speak in clear text.
"""

from typing import Any

from apps.databases.offerings.valkey.kubernetes.kinds import CERTIFICATE, ISSUER, service_host
from portal.core.drivers import View
from portal.core.drivers.kubernetes import SECRET, Leftover, Manifest, manifest, secret_name

_OF_SERVICE = "app.kubernetes.io/instance"  # cert-manager's Secrets have no owner: they are found by this
_TEN_YEARS, _YEAR, _MONTH = "87600h", "8760h", "720h"


def tls_secret(handle: str) -> str:
    """Return the Secret with ``ca.crt``, ``tls.crt`` and ``tls.key``."""
    return secret_name(handle, "tls")


def objects(view: View) -> list[Manifest]:
    """Return the authority, which signs itself, and the certificate that it signs."""
    handle = view.handle
    root, authority = f"{handle}-root", secret_name(handle, "ca")
    ca = {"isCA": True, "commonName": f"{handle} authority", "duration": _TEN_YEARS}
    names = {"commonName": handle, "dnsNames": _names(view), "duration": _YEAR, "renewBefore": _MONTH}
    return [
        manifest(ISSUER, root, {"selfSigned": {}}),
        manifest(CERTIFICATE, authority, _certificate(handle, authority, root, ca)),
        manifest(ISSUER, authority, {"ca": {"secretName": authority}}),
        manifest(CERTIFICATE, tls_secret(handle), _certificate(handle, tls_secret(handle), authority, names)),
    ]


def leftover(handle: str) -> Leftover:
    return Leftover(SECRET, f"{_OF_SERVICE}={handle}")


def _certificate(handle: str, secret: str, issuer: str, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "secretName": secret,
        "secretTemplate": {"labels": {_OF_SERVICE: handle}},
        "issuerRef": {"group": ISSUER.group, "kind": ISSUER.kind, "name": issuer},
        "privateKey": {"algorithm": "ECDSA", "size": 256},
        **more,
    }


def _names(view: View) -> list[str]:
    domain = str(view.settings.get("cluster_domain") or "cluster.local")
    host = service_host(view.handle, view.namespace)
    return [host, f"*.{host}", f"{host}.{domain}", f"*.{host}.{domain}"]
