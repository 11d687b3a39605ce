"""How the programs of a control plane are started: as on a real cluster where a test could tell, else cheap."""

from pathlib import Path

CONTROLLERS_USER = "system:kube-controller-manager"
ETCD, PEER = "unix://etcd:0", "unix://peer:0"  # sockets in the working directory: no port, and no length limit
ACCOUNTS_ISSUER = "https://kubernetes.default.svc"

# What customers' objects meet on a real cluster, and no more: without nodes nothing else has work to do.
CONTROLLERS = (
    "namespace-controller",  # empties a namespace that is deleted
    "garbage-collector-controller",  # deletes what belongs to a deleted owner; background and foreground deletion
    "resourcequota-controller",  # keeps count, which admission refuses by
    "serviceaccount-controller",  # the account "default", which admission of pods asks for
    "serviceaccount-token-controller",  # fills the secrets that long-lived tokens come from
    "root-ca-certificate-publisher-controller",  # the config map kube-root-ca.crt that each namespace has
    "clusterrole-aggregation-controller",  # rights that are put together by label
    "persistentvolumeclaim-protection-controller",  # takes off the finalizer that admission puts on every claim
    "persistentvolume-protection-controller",
)


def etcd(directory: Path) -> list[str]:
    """Return options for one member that never waits for the disk: its objects are thrown away after the run."""
    return [
        "--name=tests",
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={PEER}",
        f"--initial-advertise-peer-urls={PEER}",
        f"--initial-cluster=tests={PEER}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(directory: Path, port: int) -> list[str]:
    """Return options with rights by RBAC, the usual admission (Pod Security, quotas, limits) and an audit log."""
    pki = directory / "pki"
    return [
        f"--etcd-servers={ETCD}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={pki / 'server.crt'}",
        f"--tls-private-key-file={pki / 'server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--service-account-issuer={ACCOUNTS_ISSUER}",
        f"--service-account-key-file={pki / 'accounts.crt'}",
        f"--service-account-signing-key-file={pki / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        f"--audit-policy-file={directory / 'audit-policy.yaml'}",
        f"--audit-log-path={directory / 'audit.log'}",
        "--endpoint-reconciler-type=none",
        "--allow-privileged=true",
        "--profiling=false",
        "--v=0",
    ]


def controllers(directory: Path) -> list[str]:
    """Return options for the controllers above, without election or port, and quick enough for a thousand objects."""
    pki = directory / "pki"
    return [
        f"--kubeconfig={directory / 'controllers.kubeconfig'}",
        f"--controllers={','.join(CONTROLLERS)}",
        f"--service-account-private-key-file={pki / 'accounts.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        "--use-service-account-credentials=true",  # each controller with its own rights, as kubeadm does
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--profiling=false",
        "--v=0",
    ]
