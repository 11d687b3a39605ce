"""How to connect: URI, environment and code for each login, with placeholders in the place of secrets."""

import json
from collections.abc import Iterable, Mapping
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


def connections(view: View) -> tuple[Connection, ...]:
    """Return one for each login, the main one first; none before the service has an address."""
    port = next((endpoint["port"] for endpoint in view.facts.get("endpoints", ())), None)
    if port is None:
        return ()
    ordered = sorted(acl.living(view), key=lambda user: not cast(UserSpec, user.spec).main)
    return tuple(_connection(view, user, int(port)) for user in ordered)


def _connection(view: View, user: ChildView, port: int) -> Connection:
    secret = acl.user_secret(user)
    uri = f"rediss://{_USER}:{secret.ref()}@{view.host}:{port}/0"
    environment = {
        "REDIS_HOST": view.host,
        "REDIS_PORT": str(port),
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
        snippets=tuple(_snippets(environment, is_cluster=nodes.is_cluster(view))),
        main=cast(UserSpec, user.spec).main,
    )


def _snippets(env: dict[str, str], *, is_cluster: bool) -> Iterable[Snippet]:
    """Return code for six clients at most, as many as the page shows."""
    words = {**env, "uri": json.dumps(env["REDIS_URL"])}
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
