"""How to connect: URI, environment and code for each login, with placeholders in the place of secrets."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from apps.databases.offerings.valkey import acl, nodes
from apps.databases.offerings.valkey.spec import UserSpec
from portal.core.drivers import ChildView, Connection, Endpoint, Snippet, View

_USER = "{{username}}"
_CA = "ca.pem"


def endpoints(view: View, ports: Mapping[str, int]) -> tuple[Endpoint, ...]:
    """Return the ways in: to the primary, and to replicas to read from; of a cluster to each node."""
    if nodes.is_cluster(view):
        wanted = [(node.name, node.front, "primary") for node in nodes.nodes(view)]
    else:
        wanted = [("primary", "main", "primary")]
        wanted += [("replica", "replica", "replica")] if nodes.has_replicas(view) else []
    return tuple(Endpoint(name, view.host, ports[port], usage) for name, port, usage in wanted if port in ports)


@dataclass(frozen=True, slots=True)
class Place:
    """Where connections go to, what they are verified by, and whether nodes send clients on to each other."""

    host: str
    port: int
    authority: tuple[str, str] | None
    is_cluster: bool
    by_address: bool  # the nodes are known by addresses, which no certificate names


def connections(
    view: View, *, authority: tuple[str, str] | None = None, is_cluster: bool | None = None
) -> tuple[Connection, ...]:
    """Return one for each login, the main one first; none before the service has an address.

    ``authority`` names the secret and key of the certificate to verify by, where it is not the region's. ``is_cluster``
    is given where a backend has clusters that the customer did not ask for, whose nodes are known by addresses.
    """
    endpoint = next(iter(view.facts.get("endpoints", ())), None)
    if endpoint is None:
        return ()
    host, port = str(endpoint.get("host") or view.host), int(endpoint["port"])
    several = nodes.is_cluster(view) if is_cluster is None else is_cluster
    place = Place(host, port, authority, several, by_address=bool(is_cluster))
    ordered = sorted(acl.living(view), key=lambda user: not cast(UserSpec, user.spec).main)
    return tuple(_connection(user, place) for user in ordered)


def _connection(user: ChildView, place: Place) -> Connection:
    secret = acl.user_secret(user)
    uri = f"rediss://{_USER}:{secret.ref()}@{place.host}:{place.port}/0"
    environment = {
        "REDIS_HOST": place.host,
        "REDIS_PORT": str(place.port),
        "REDIS_USERNAME": _USER,
        "REDIS_PASSWORD": secret.ref(),
        "REDIS_URL": uri,
        "REDIS_CA": _CA,
    }
    return Connection(
        child_id=user.id,
        username=user.name,
        secret=secret.name,
        uri=uri,
        environment=environment,
        snippets=tuple(_snippets(environment, place)),
        main=cast(UserSpec, user.spec).main,
        authority=place.authority,
    )


def _snippets(env: dict[str, str], place: Place) -> Iterable[Snippet]:
    """Return code for six clients at most, as many as the page shows."""
    words = {**env, "uri": json.dumps(env["REDIS_URL"])}
    is_cluster = place.is_cluster
    if place.by_address:
        yield from _by_address(words)
        return
    cli, python, node, go, spring = _CLI, _PYTHON, _NODE, _GO, _SPRING
    if is_cluster:
        cli, python, node, go, spring = f"{_CLI} -c", _PYTHON_CLUSTER, _NODE_CLUSTER, _GO_CLUSTER, _SPRING_CLUSTER
    yield Snippet("valkey-cli", "bash", cli % words)
    yield Snippet("Python", "python", python % words)
    yield Snippet("Node.js", "javascript", node % words)
    yield Snippet("Go", "go", go % words)
    yield Snippet("Spring Boot", "yaml", spring % words)
    if not is_cluster:
        yield Snippet("Django", "python", _DJANGO % words)


def _by_address(words: Mapping[str, str]) -> Iterable[Snippet]:
    """Return code for clients that verify who signed a node's certificate, and not which address it names."""
    yield Snippet("valkey-cli", "bash", f"{_CLI} -c" % words)
    yield Snippet(
        "Python", "python", _PYTHON_CLUSTER.replace(_VERIFIED, f"{_VERIFIED}, ssl_check_hostname=False") % words
    )
    trusting = '"), checkServerIdentity: () => undefined }'
    yield Snippet("Node.js", "javascript", _NODE_CLUSTER.replace('") }', trusting) % words)


_VERIFIED = 'ssl_ca_certs="%(REDIS_CA)s"'
_CLI = """\
REDISCLI_AUTH='%(REDIS_PASSWORD)s' valkey-cli --tls --cacert %(REDIS_CA)s \\
  -h %(REDIS_HOST)s -p %(REDIS_PORT)s --user %(REDIS_USERNAME)s"""
_PYTHON = """\
import redis

client = redis.Redis.from_url(%(uri)s, ssl_ca_certs="%(REDIS_CA)s")
print(client.ping())
"""
_PYTHON_CLUSTER = """\
from redis.cluster import RedisCluster

client = RedisCluster.from_url(%(uri)s, ssl_ca_certs="%(REDIS_CA)s")
print(client.ping())
"""
_NODE = """\
import fs from "node:fs";
import { createClient } from "redis";

const client = createClient({
  url: %(uri)s,
  socket: { tls: true, ca: fs.readFileSync("%(REDIS_CA)s") },
});
await client.connect();
console.log(await client.ping());
"""
_NODE_CLUSTER = """\
import fs from "node:fs";
import { createCluster } from "redis";

const client = createCluster({
  rootNodes: [{ url: %(uri)s }],
  defaults: {
    username: "%(REDIS_USERNAME)s",
    password: "%(REDIS_PASSWORD)s",
    socket: { tls: true, ca: fs.readFileSync("%(REDIS_CA)s") },
  },
});
await client.connect();
await client.set("greeting", "hello");
console.log(await client.get("greeting"));
"""
_GO_TLS = """\
	pem, err := os.ReadFile("%(REDIS_CA)s")
	if err != nil {
		panic(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(pem)
"""
_GO_HEAD = """\
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

func main() {
"""
_GO = f"""\
{_GO_HEAD}{_GO_TLS}\
	options, err := redis.ParseURL(%(uri)s)
	if err != nil {{
		panic(err)
	}}
	options.TLSConfig = &tls.Config{{RootCAs: authorities, ServerName: "%(REDIS_HOST)s"}}
	client := redis.NewClient(options)
	defer client.Close()
	fmt.Println(client.Ping(context.Background()).Result())
}}
"""
_GO_CLUSTER = f"""\
{_GO_HEAD}{_GO_TLS}\
	options, err := redis.ParseClusterURL(%(uri)s)
	if err != nil {{
		panic(err)
	}}
	options.TLSConfig = &tls.Config{{RootCAs: authorities, ServerName: "%(REDIS_HOST)s"}}
	client := redis.NewClusterClient(options)
	defer client.Close()
	fmt.Println(client.Ping(context.Background()).Result())
}}
"""
_BUNDLE = """\
  ssl:
    bundle:
      pem:
        valkey:
          truststore:
            certificate: "file:%(REDIS_CA)s"
"""
_SPRING = f"""\
spring:
{_BUNDLE}\
  data:
    redis:
      host: "%(REDIS_HOST)s"
      port: %(REDIS_PORT)s
      username: "%(REDIS_USERNAME)s"
      password: "%(REDIS_PASSWORD)s"
      ssl:
        bundle: valkey
"""
_SPRING_CLUSTER = f"""\
spring:
{_BUNDLE}\
  data:
    redis:
      cluster:
        nodes: "%(REDIS_HOST)s:%(REDIS_PORT)s"
      username: "%(REDIS_USERNAME)s"
      password: "%(REDIS_PASSWORD)s"
      ssl:
        bundle: valkey
"""
_DJANGO = """\
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": %(uri)s,
        "OPTIONS": {"ssl_ca_certs": "%(REDIS_CA)s"},
    }
}
"""
