"""What this host can do, as a plain dictionary for ``Cluster.capabilities``."""

import socket
from pathlib import Path

from portal.clusters.backends.local import files, limits
from portal.clusters.backends.local.packages import available
from portal.clusters.backends.local.supervisor import control


def discover(data: Path, packages: Path) -> dict[str, object]:
    """Return packages (each with why it can't be had; empty: it can), isolation, groups, IPv6, problems in words."""
    finding = files.read_json(data / "isolation.json") or {"isolation": False, "reason": "it has not been tested yet"}
    groups = limits.describe()
    supervised = control.ping(data)
    problems = [] if supervised else ["The supervisor does not answer; services are neither started nor watched."]
    if not finding["isolation"]:
        problems.append(f"Services are not isolated from each other: {finding['reason']}.")
    return {
        "packages": available(packages),
        "isolation": bool(finding["isolation"]),
        "isolation_reason": finding["reason"],
        "cgroup": groups,
        "ipv6_loopback": _has_ipv6(),
        "supervised": supervised,
        "problems": problems,
    }


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
