"""HAProxy before the engines, which have no TLS built in: it ends TLS, keeps to the allow list and finds the primary.

The public ports speak TLS alone, so a client that comes in clear text is cut off. A socket in ``{{run}}`` leads the
platform's own probe the same way.
"""

import ipaddress
from collections.abc import Iterable

from apps.databases.offerings.valkey import acl, nodes
from apps.databases.offerings.valkey.nodes import Node
from portal.core.drivers import Command, View

CONFIG = "etc/front.cfg"
SOCKET = "{{run}}/front.sock"
BINARY = "{{package:haproxy}}/bin/haproxy"
_DIRECTORY = "{{dir}}/front"

# Connections live as long as customers want (the engine has a time-out of its own). Old workers end with their last
# connection, and at the latest when there were three reloads since.
_HEAD = """\
global
    maxconn {most}
    mworker-max-reloads 3
    ssl-default-bind-options ssl-min-ver TLSv1.2
    ssl-load-extra-files key
    log stderr format raw local0 notice
defaults
    mode tcp
    log global
    option dontlognull
    option clitcpka
    option srvtcpka
    retries 2
    option redispatch
    timeout connect 5s
    timeout check 2s
    timeout client 24d
    timeout server 24d
"""
_ASK_ROLE = """\
    option tcp-check
    tcp-check connect
    tcp-check send "AUTH front {password}\\r\\n"
    tcp-check expect string +OK
    tcp-check send "INFO replication\\r\\n"
    tcp-check expect string role:{role}
"""
_MOST = 1000


def prepare() -> tuple[Command, ...]:
    """Lay out the certificate as HAProxy looks for it: by links, so that a renewal needs nothing but a reload."""
    link = ("/usr/bin/ln", "-sfn")
    return (
        Command("making the front's directory", ("/usr/bin/mkdir", "-p", "-m", "0700", _DIRECTORY)),
        Command("linking the certificate", (*link, "../tls/cert.pem", f"{_DIRECTORY}/cert.pem")),
        Command("linking its key", (*link, "../tls/key.pem", f"{_DIRECTORY}/cert.pem.key")),
    )


def argv() -> tuple[str, ...]:
    return (BINARY, "-W", "-f", f"{{{{dir}}}}/{CONFIG}")


def document(view: View) -> str:
    """Return the whole configuration. Raises ValueError for an allow list that holds no networks."""
    found = nodes.nodes(view)
    if nodes.is_cluster(view):
        parts = [_frontend(view, node.front, node.name) + _plain(node.name, node) for node in found]
        parts.append(_inner(found[0].name))
    elif len(found) == 1:
        parts = [_frontend(view, "main", "primary"), _plain("primary", found[0]), _inner("primary")]
    else:
        leader = nodes.primary_node(view)
        others = [node for node in found if node != leader]
        parts = [_frontend(view, "main", "primary"), _by_role("primary", "master", [leader], others), _inner("primary")]
        parts += [_frontend(view, "replica", "replicas"), _by_role("replicas", "slave", others, [leader])]
    return _HEAD.format(most=_MOST) + "".join(parts)


def _frontend(view: View, port: str, backend: str) -> str:
    return (
        f"frontend {port}\n"
        f"    bind 127.0.0.1:{{{{port:{port}}}}} ssl crt {_DIRECTORY}/cert.pem\n"
        f"{_refusal(view.allow_list)}"
        f"    default_backend {backend}\n"
    )


def _refusal(networks: Iterable[str]) -> str:
    places = [str(ipaddress.ip_network(network)) for network in networks]
    return f"    tcp-request connection reject unless {{ src {' '.join(places)} }}\n" if places else ""


def _inner(backend: str) -> str:
    return f"frontend inner\n    bind unix@{SOCKET} mode 600\n    default_backend {backend}\n"


def _plain(backend: str, node: Node) -> str:
    return f"backend {backend}\n    server {node.name} unix@{node.socket}\n"


def _by_role(backend: str, role: str, likely: Iterable[Node], others: Iterable[Node]) -> str:
    """Send clients to the nodes that say they have this role, and cut them off when one has it no more.

    Before its first check a node counts as fit, so those that are not likely to be come second.
    """
    check = "check inter 250ms fall 1 rise 1 on-marked-down shutdown-sessions"
    servers = [f"    server {node.name} unix@{node.socket} {check}\n" for node in likely]
    servers += [f"    server {node.name} unix@{node.socket} {check} backup\n" for node in others]
    return f"backend {backend}\n{_ASK_ROLE.format(password=acl.FRONT.ref(), role=role)}{''.join(servers)}"
