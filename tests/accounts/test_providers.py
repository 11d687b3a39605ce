"""The configuration of identity providers, and what is refused before anything is asked."""

import json
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from portal.accounts.providers import provider_apps

CORP = {
    "id": "corp",
    "name": "Corp",
    "issuer": "https://id.corp.example/",
    "client_id": "archipel",
    "client_secret": "s3cret",
    "domains": ["Corp.example"],
}


def read(*entries: dict[str, object], **environ: str) -> list[dict[str, object]]:
    return provider_apps({"OIDC_PROVIDERS": json.dumps(entries), **environ})


def test_nothing_set_means_no_provider() -> None:
    assert provider_apps({}) == []


def test_a_provider_is_read_with_its_domains_and_pkce() -> None:
    (app,) = read(CORP)
    assert (app["provider_id"], app["name"], app["client_id"], app["secret"]) == ("corp", "Corp", "archipel", "s3cret")
    wanted = {"server_url": "https://id.corp.example", "domains": ["corp.example"], "oauth_pkce_enabled": True}
    assert app["settings"] == wanted


def test_the_list_and_its_secrets_may_lie_in_files(tmp_path: Path) -> None:
    secret, providers = tmp_path / "secret", tmp_path / "providers.json"
    secret.write_text("from-a-file\n")
    without = {key: value for key, value in CORP.items() if key != "client_secret"}
    providers.write_text(json.dumps([{**without, "client_secret_file": str(secret)}]))
    (app,) = provider_apps({"OIDC_PROVIDERS": str(providers)})
    assert app["secret"] == "from-a-file"
    (app,) = read({**without, "client_secret_env": "CORP"}, CORP="from-a-variable")
    assert app["secret"] == "from-a-variable"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"domains": []}, "domains"),
        ({"domains": ["*"]}, "domains"),
        ({"domains": "corp.example"}, "domains"),
        ({"issuer": "http://id.corp.example"}, "issuer"),
        ({"issuer": ""}, "issuer"),
        ({"client_id": ""}, "client_id"),
        ({"client_secret": ""}, "secret"),
        ({"client_secret_env": "NOT_SET"}, "secret"),
        ({"client_secret_file": "/nowhere/at/all"}, "client_secret_file"),
        ({"id": "Not An Id"}, "id"),
        ({"email_verified": False}, "nothing is known of"),
    ],
)
def test_a_configuration_that_would_open_too_much_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=words):
        read({**CORP, **change})


@pytest.mark.parametrize("text", ["[", "[1]", "[{}]"])
def test_what_is_no_list_of_providers_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        provider_apps({"OIDC_PROVIDERS": text})


def test_two_providers_of_one_id_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="same id"):
        read(CORP, CORP)


def test_a_provider_that_nobody_configured_is_not_there(db: None) -> None:
    assert Client().post("/sign-in/with/never").status_code == 404
    assert Client().get("/sign-in/with/never/back?code=1&state=2").status_code == 404
    assert Client().get("/sign-in/with/never").status_code == 405
