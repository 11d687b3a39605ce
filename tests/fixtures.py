"""People with their roles in two organizations, and clients that act for them. Every test module may ask for them."""

import time
from collections.abc import Callable

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from portal.accounts import token_format
from portal.accounts.actors import actor_for
from portal.accounts.models import ApiToken, User, digest
from portal.core.actors import Actor
from portal.projects.models import Membership, Organization, Project, ProjectMembership, Quota


@pytest.fixture(autouse=True)
def plain_frame(settings: Settings) -> None:
    """Static files by their own names and a cache in this process: neither is what these tests are about."""
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": static}
    settings.WHITENOISE_AUTOREFRESH = True
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture
def organization(db: None) -> Organization:
    return Organization.objects.create(slug="acme", name="Acme")


@pytest.fixture
def project(organization: Organization) -> Project:
    return Project.objects.create(organization=organization, slug="acme-prod", name="Acme production")


@pytest.fixture
def other_organization(db: None) -> Organization:
    return Organization.objects.create(slug="other", name="Other")


@pytest.fixture
def other_project(other_organization: Organization) -> Project:
    return Project.objects.create(organization=other_organization, slug="other-prod", name="Other production")


@pytest.fixture
def owner(organization: Organization) -> User:
    return person("owner@acme.example", organization, "owner")


@pytest.fixture
def admin(organization: Organization) -> User:
    return person("admin@acme.example", organization, "admin")


@pytest.fixture
def developer(organization: Organization, project: Project) -> User:
    return person("developer@acme.example", organization, "member", project, "developer")


@pytest.fixture
def viewer(organization: Organization, project: Project) -> User:
    return person("viewer@acme.example", organization, "member", project, "viewer")


@pytest.fixture
def billing(organization: Organization) -> User:
    return person("billing@acme.example", organization, "billing")


@pytest.fixture
def auditor(organization: Organization) -> User:
    return person("auditor@acme.example", organization, "auditor")


@pytest.fixture
def member(organization: Organization) -> User:
    """Somebody of the organization with no project."""
    return person("member@acme.example", organization, "member")


@pytest.fixture
def stranger(other_organization: Organization, other_project: Project) -> User:
    """The owner of another organization."""
    return person("stranger@other.example", other_organization, "owner")


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_user("operator@provider.example", is_operator=True)


@pytest.fixture
def support(db: None) -> User:
    return User.objects.create_user("support@provider.example", is_support=True)


def person(
    email: str, organization: Organization, role: str, project: Project | None = None, project_role: str = ""
) -> User:
    """Make a user with a role in an organization and, where given, in one of its projects."""
    user = User.objects.create_user(email)
    Membership.objects.create(user=user, organization=organization, role=role)
    if project:
        ProjectMembership.objects.create(user=user, project=project, role=project_role)
    return user


def limit(project: Project, most: int, resource: str = "services") -> None:
    """Set how much a project may have of something."""
    place = {"organization": project.organization, "project": project, "resource": resource}
    Quota.objects.update_or_create(**place, defaults={"limit": most})


def token_of(user: User, *scopes: str, name: str = "test") -> tuple[ApiToken, str]:
    """Return a token of that person and its plain text."""
    plain = token_format.new_token()
    token = ApiToken.objects.create(
        user=user, name=name, hint=token_format.hint(plain), digest=digest(plain), scopes=list(scopes)
    )
    return token, plain


@pytest.fixture
def actor_of() -> Callable[..., Actor]:
    """``actor_of(user, *scopes)``: the actor that a person is, or their token with scopes."""

    def make(user: User, *scopes: str) -> Actor:
        return actor_for(user, token_of(user, *scopes)[0] if scopes else None, address="192.0.2.7", request_id="test-1")

    return make


def sign_in(client: Client, user: User) -> None:
    """Sign somebody in as if by a password just now; the provider's people with a second factor, which they need."""
    client.force_login(user)
    proofs = [{"method": "password", "at": time.time()}]
    if user.is_staff:
        Authenticator.objects.get_or_create(user=user, type=Authenticator.Type.TOTP, defaults={"data": {"secret": ""}})
        proofs.append({"method": "mfa", "type": "totp", "at": time.time()})
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = proofs
    session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = str(user.pk)
    session.save()


def aged(client: Client, seconds: float) -> None:
    """Let the proofs of a session be that old."""
    session = client.session
    for record in session[AUTHENTICATION_METHODS_SESSION_KEY]:
        record["at"] = time.time() - seconds
    session.save()


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """``client_of(user)``: a browser in which that person has just signed in."""

    def make(user: User) -> Client:
        client = Client()
        sign_in(client, user)
        return client

    return make


@pytest.fixture
def api_of() -> Callable[..., APIClient]:
    """``api_of(user, *scopes)``: an API client with a bearer token of that person."""

    def make(user: User, *scopes: str) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(user, *scopes)[1]}")
        return client

    return make
