"""Kubeconfigs: what is inline is taken; what runs, reads or goes through something else is refused by name."""

import base64
import json
from typing import Any

import pytest
import yaml

from portal.clusters.backends.kubernetes import kubeconfig
from portal.clusters.backends.kubernetes.kubeconfig import Unfit
from tests.clusters.kubernetes.double import certificate

PEM, BOTH = certificate()
KEY = BOTH.removeprefix(PEM)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def a_config(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    ours = {"server": "https://10.0.0.1:6443", "certificate-authority-data": encoded(PEM)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "b",
        "contexts": [
            {"name": "a", "context": {"cluster": "other", "user": "other"}},
            {"name": "b", "context": {"cluster": "ours", "user": "portal", "namespace": "x"}},
        ],
        "clusters": [
            {"name": "other", "cluster": {"server": "http://elsewhere", "insecure-skip-tls-verify": True}},
            {"name": "ours", "cluster": {**ours, **(cluster or {})}},
        ],
        "users": [
            {"name": "other", "user": {"exec": {"command": "sh"}}},
            {"name": "portal", "user": {"token": "canary-token"} if user is None else user},
        ],
        **top,
    }


def test_the_current_context_is_taken_and_nothing_else_is_kept() -> None:
    access = kubeconfig.read(yaml.safe_dump(a_config({"tls-server-name": "api.example", "extensions": []})))
    assert (access.server, access.server_name, access.token) == ("https://10.0.0.1:6443", "api.example", "canary-token")
    assert access.authority == PEM
    kept = kubeconfig.written(access)
    assert kubeconfig.read(kept) == access
    assert "elsewhere" not in kept
    assert "canary" not in repr(access)


def test_a_client_certificate_needs_its_key_and_a_single_context_needs_no_choice() -> None:
    both = {"client-certificate-data": encoded(PEM), "client-key-data": encoded(KEY)}
    whole = a_config(user=both)
    access = kubeconfig.read(json.dumps(whole))
    assert (access.certificate, access.key) == (PEM, KEY)
    assert kubeconfig.read(kubeconfig.written(access)) == access
    del whole["current-context"]
    with pytest.raises(Unfit, match="current-context"):
        kubeconfig.read(json.dumps(whole))
    whole["contexts"].pop(0)
    assert kubeconfig.read(json.dumps(whole)) == access
    for name in both:
        with pytest.raises(Unfit, match="go together"):
            kubeconfig.read(json.dumps(a_config(user={name: both[name]})))


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("cluster", "certificate-authority", "/etc/passwd"),
        ("cluster", "insecure-skip-tls-verify", True),
        ("cluster", "proxy-url", "http://proxy"),
        ("cluster", "server", "http://10.0.0.1"),
        ("cluster", "server", "https://user:canary@10.0.0.1"),
        ("cluster", "server", "https://10.0.0.1/?x=canary"),
        ("cluster", "server", "file:///etc/passwd"),
        ("cluster", "server", ""),
        ("cluster", "server", ["https://10.0.0.1"]),
        ("cluster", "certificate-authority-data", "canary!"),
        ("cluster", "certificate-authority-data", encoded("no certificate")),
        ("cluster", "something-new", "canary"),
        ("user", "exec", {"command": "canary"}),
        ("user", "auth-provider", {"name": "gcp"}),
        ("user", "tokenFile", "/canary"),
        ("user", "client-certificate", "/canary"),
        ("user", "client-key", "/canary"),
        ("user", "client-key-data", encoded("canary")),
        ("user", "username", "canary"),
        ("user", "password", "canary"),
        ("user", "as", "system:masters"),
        ("user", "token", "canary\nX-Evil: 1"),
        ("user", "token", ""),
    ],
)
def test_what_is_refused_is_named_and_its_value_is_not(part: str, name: str, value: Any) -> None:
    cluster = {name: value} if part == "cluster" else {}
    user = {"token": "t", name: value} if part == "user" else None
    with pytest.raises(Unfit) as refused:
        kubeconfig.read(json.dumps(a_config(cluster, user)))
    assert (name if name != "token" or value else "user") in str(refused.value)
    assert "canary" not in str(refused.value)
    off = {name: False} if name.startswith("insecure") else {}
    assert kubeconfig.read(json.dumps(a_config(off))).token


@pytest.mark.parametrize(
    "text", ["", "a: [", "[]", "just words", "a: &a [*a]", "clusters: []", "x" * 300_000, "[" * 5000]
)
def test_what_is_no_kubeconfig_at_all_is_refused_in_words(text: str) -> None:
    with pytest.raises(Unfit):
        kubeconfig.read(text)


def test_a_context_that_names_nothing_is_refused() -> None:
    whole = a_config(**{"current-context": "zz"})
    with pytest.raises(Unfit, match="contexts"):
        kubeconfig.read(json.dumps(whole))
    with pytest.raises(Unfit, match="users"):
        kubeconfig.read(json.dumps(a_config(users=[])))
