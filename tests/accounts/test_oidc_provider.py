"""Signing in with a real identity provider: the npm package oidc-provider, with PKCE required, driven over HTTP."""

import html
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import User
from portal.accounts.providers import provider_apps
from tests.accounts.ways import acts, code_of, enroll, is_in, with_password
from tests.ports import free_port

pytestmark = [pytest.mark.full, pytest.mark.django_db]
HERE = Path(__file__).parent / "oidc"
BACK = "/sign-in/with/corp/back"
ADDRESS = "alice@corp.example"


def _installed() -> Path:
    """Return a folder with the provider's packages, kept between runs."""
    folder = Path(tempfile.gettempdir()) / f"archipel-oidc-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for file in HERE.iterdir():
        shutil.copy(file, folder)
    if not (folder / "node_modules" / "oidc-provider").exists():
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
    return folder


@pytest.fixture(scope="module")
def issuer() -> Iterator[tuple[str, str]]:
    """Return the address of a running provider and the client's secret there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Node.js")
        pytest.skip("no Node.js on this machine")
    port, secret = free_port(), secrets.token_urlsafe(24)
    command = ["node", "provider.mjs", str(port), f"http://testserver{BACK}", secret]
    with (Path(tempfile.gettempdir()) / f"archipel-oidc-{port}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=_installed(), stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout
        with process.stdout as words:
            assert "listening" in words.readline()
            yield f"http://127.0.0.1:{port}", secret
            process.terminate()
    process.wait(10)


@pytest.fixture(autouse=True)
def configured(settings: Settings, issuer: tuple[str, str]) -> None:
    """The configuration as an operator writes it, with the secret in a variable of its own."""
    entry = f'[{{"id": "corp", "name": "Corp", "issuer": "{issuer[0]}", "client_id": "archipel",'
    entry += ' "client_secret_env": "CORP_SECRET", "domains": ["corp.example"]}]'
    apps = provider_apps({"OIDC_PROVIDERS": entry, "CORP_SECRET": issuer[1]})
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": apps, "OAUTH_PKCE_ENABLED": True}}


def sent_to(client: Client, goal: str = "/audit") -> str:
    """Press the button of the sign-in page and return where its answer leads."""
    assert "Sign in with Corp" in client.get("/sign-in").content.decode()
    page = client.post(f"/sign-in/with/corp?next={goal}&scope=admin&auth_params=prompt%3Dnone").content.decode()
    found = re.search(r'content="0;url=([^"]+)"', page)
    assert found, page
    return html.unescape(found[1])


def answered(url: str, login: str) -> str:
    """Sign in at the provider as a person does, and return the address that it sends the browser back to."""
    browser = requests.Session()
    answer = browser.get(url, allow_redirects=False, timeout=20)
    for _step in range(12):
        if answer.is_redirect:
            url = urljoin(answer.url, answer.headers["Location"])
            if urlsplit(url).hostname == "testserver":
                return url
            answer = browser.get(url, allow_redirects=False, timeout=20)
            continue
        prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
        action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
        assert prompt, answer.text[:2000]
        assert action, answer.text[:2000]
        form = {"prompt": prompt[1], "login": login, "password": "x"}
        answer = browser.post(urljoin(answer.url, action[1]), form, allow_redirects=False, timeout=20)
    raise AssertionError(f"never came back: {answer.url}")


def signed_in_with(client: Client, login: str) -> Any:
    """Go the whole way and return the portal's last answer."""
    return client.get(answered(sent_to(client), login).removeprefix("http://testserver"))


def test_the_request_has_pkce_state_and_the_scopes_of_the_configuration() -> None:
    url = sent_to(Client())
    assert "code_challenge_method=S256" in url
    assert "state=" in url
    assert set(parse_qs(urlsplit(url).query)["scope"][0].split()) == {"openid", "profile", "email"}
    assert "prompt" not in url


def test_somebody_new_gets_an_account_with_a_proven_address() -> None:
    client = Client()
    answer = signed_in_with(client, ADDRESS)
    assert (answer.status_code, answer["Location"]) == (302, "/audit")
    assert is_in(client)
    user = User.objects.get()
    assert (user.email, user.has_usable_password(), user.is_staff) == (ADDRESS, False, False)
    assert EmailAddress.objects.get().verified
    assert SocialAccount.objects.get().provider == "corp"
    assert acts(user)[-1] == "user.sign_in"


def test_a_present_account_is_linked_by_its_address_and_found_again() -> None:
    user = User.objects.create_user(ADDRESS)
    for _time in range(2):
        client = Client()
        signed_in_with(client, ADDRESS)
        assert client.session["_auth_user_id"] == str(user.pk)
    assert User.objects.count() == SocialAccount.objects.count() == 1


def test_an_enrolled_second_factor_is_asked_for_as_well() -> None:
    user = User.objects.create_user(ADDRESS)
    enroll(user)
    client = Client()
    assert signed_in_with(client, ADDRESS)["Location"] == "/sign-in/second-factor"
    assert not is_in(client)
    assert client.post("/sign-in/second-factor", {"code": code_of()})["Location"] == "/audit"
    assert is_in(client)


@pytest.mark.parametrize(
    ("login", "words"),
    [(f"unverified:{ADDRESS}", "did not say that your mail address is verified"), ("bob@other.example", "not trusted")],
)
def test_an_address_that_is_not_proven_or_of_another_domain_gets_nobody_in(login: str, words: str) -> None:
    User.objects.create_user(login.removeprefix("unverified:"))
    client = Client()
    answer = signed_in_with(client, login)
    assert answer.status_code == 403
    assert words in answer.content.decode()
    assert not is_in(client)
    assert User.objects.count() == 1
    assert not SocialAccount.objects.exists()


def test_somebody_shut_out_is_neither_linked_nor_let_in() -> None:
    User.objects.create_user(ADDRESS, is_active=False)
    client = Client()
    assert signed_in_with(client, ADDRESS).status_code == 403
    assert not is_in(client)
    assert not SocialAccount.objects.exists()


def test_the_password_of_who_never_proved_the_address_is_gone_afterwards() -> None:
    squatter = with_password(User.objects.create_user(ADDRESS))
    EmailAddress.objects.create(user=squatter, email=ADDRESS, verified=False, primary=True)
    client = Client()
    signed_in_with(client, ADDRESS)
    assert is_in(client)
    squatter.refresh_from_db()
    assert not squatter.has_usable_password()


def test_an_answer_without_its_question_gets_nobody_in() -> None:
    back = answered(sent_to(Client()), ADDRESS).removeprefix("http://testserver")
    other = Client()
    assert other.get(back).status_code == 403
    assert not is_in(other)


def test_a_provider_that_is_away_is_said_to_be(settings: Settings) -> None:
    apps = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    apps[0]["settings"]["server_url"] = f"http://127.0.0.1:{free_port()}"
    answer = Client().post("/sign-in/with/corp")
    assert answer.status_code == 403
    assert "does not answer" in answer.content.decode()


def test_linking_takes_an_address_of_one_s_own(client_of: Callable[[User], Client]) -> None:
    user = User.objects.create_user("somebody@else.example")
    client = client_of(user)
    page = client.post("/sign-in/with/corp?process=connect").content.decode()
    found = re.search(r'content="0;url=([^"]+)"', page)
    assert found
    answer = client.get(answered(html.unescape(found[1]), ADDRESS).removeprefix("http://testserver"))
    assert answer.status_code == 403
    assert not SocialAccount.objects.exists()
