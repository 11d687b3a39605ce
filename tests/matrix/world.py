"""The rows that the access matrix asks for: two organizations, everybody with a role, and a service of each sort.

All of it is made once per module in a transaction that is never committed; each request is undone by a savepoint.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.utils import timezone

from portal.accounts.actors import actor_for
from portal.accounts.addresses import settle
from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent
from portal.clusters.models import Cluster, Region
from portal.core import ids
from portal.core.conditions import Condition, Status
from portal.projects import permissions as table
from portal.projects.models import Invitation, Membership, Organization, Project, ProjectMembership, Quota, QuotaRequest
from portal.resources import actions
from portal.resources.models import Change, Child, Event, Operation, Quote, Resource
from portal.resources.states import refresh
from tests.fixtures import person, sign_in, token_of
from tests.matrix.asking import Asker
from tests.matrix.told import of_told, told
from tests.resources import doubles
from tests.resources.doubles import MemoryBackend
from tests.resources.offerings import DEVICES

UNKNOWN = "01JB7Q8W5T9X3M4K2N6P7R8S9V"
HIGH = 2_000_000_000  # numbers of rows as long as an unknown one, which shows in Content-Length
READY = Condition("Ready", Status.TRUE, "Ready", "", 1, "2026-01-01T00:00:00+00:00").as_json()
ENDPOINT = {"component": "primary", "usage": "primary", "route": "public", "port": 20001, "tls": True}
TOY = replace(doubles.TOY, children=(*doubles.TOY.children, DEVICES))  # with a kind of each sort
ORDER = {"name": "new", "offering": "toy", "plan": "dev-2"}
LIMITED = ("organization.", "project.create", "costs.", "provider.")


@dataclass(frozen=True)
class Who:
    """Somebody who asks: what the permission table gives them in Acme's first project, and a client for each door."""

    name: str
    user: User | None
    in_project: frozenset[str]
    in_organization: frozenset[str]
    sees_family: bool = True
    scopes: tuple[str, ...] = ()
    browser: Asker | None = None  # tokens have none
    api: Asker = field(default_factory=Asker)

    def may(self, permission: str) -> bool:
        about_organization = permission.startswith("organization.") or permission == "project.create"
        return permission in (self.in_organization if about_organization else self.in_project)


@dataclass
class World:
    backend: MemoryBackend
    project: Project
    mine: Resource
    sibling: Resource
    foreign: Resource
    people: dict[str, User]
    token: ApiToken
    foreign_token: ApiToken
    whos: dict[str, Who] = field(default_factory=dict)
    dead: dict[str, Asker] = field(default_factory=dict)  # with tokens that worked once
    _known: dict[str, dict[str, str]] = field(default_factory=dict)

    def _names(
        self, resource: Resource, project: str, organization: str, member: str, token: ApiToken
    ) -> dict[str, str]:
        """Return what stands for each id of a path when it is about ``resource``."""
        login, backup = resource.children.get(kind="users"), resource.children.get(kind="backups")
        operation = resource.operations.get()
        for child in (login, backup):
            child.resource = resource
        return {
            "service": resource.public_id,
            "login": login.public_id,
            "credential": ids.encode("cred", login.id),
            "backup": backup.public_id,
            "operation": operation.public_id,
            "event": AuditEvent.objects.filter(target_id=resource.id).latest("id").public_id,
            "quote": Quote.objects.get(project=resource.project, resource=None).public_id,
            "project": project,
            "organization": organization,
            "member": self.people[member].public_id,
            "token": token.public_id,
            "session": str(self.session_of(token.user).pk),
            "link": str(SocialAccount.objects.get(user=token.user).pk),
            **of_machine(resource.project),
            **of_told(resource.project, token.user),
            "invitation": first_invitation(resource.project.organization).public_id,
        }

    def session_of(self, user: User) -> UserSession:
        """Return the row of a second browser in which somebody is signed in."""
        return UserSession.objects.get(user=user, user_agent="second")

    def own(self) -> dict[str, str]:
        return self._once("own", lambda: self._names(self.mine, "acme-prod", "acme", "viewer", self.token))

    def theirs(self) -> dict[str, str]:
        foreign = self.foreign, "other-prod", "other-org", "stranger", self.foreign_token
        return self._once("theirs", lambda: self._names(*foreign))

    def of_sibling(self) -> dict[str, str]:
        return self._once("sibling", lambda: self._names(self.sibling, "acme-prod", "acme", "viewer", self.token))

    def backup_of(self, resource: Resource) -> str:
        return str(resource.children.get(kind="backups").id)

    def _once(self, whose: str, find: Callable[[], dict[str, str]]) -> dict[str, str]:
        return self._known.get(whose) or self._known.setdefault(whose, find())


def nobodys() -> dict[str, str]:
    """Return ids that never were."""
    prefixes = {"service": "svc", "login": "usr", "credential": "cred", "backup": "bkp", "operation": "op"}
    prefixes |= {"event": "aud", "quote": "quo", "member": "user", "token": "tok"}
    prefixes |= {"account": "sa", "machine_token": "tok"}
    prefixes |= {"webhook": "whk", "delivery": "dlv", "notification": "ntf"}
    prefixes |= {"invitation": "inv", "quota_request": "qreq", "organization_request": "qreq"}
    return {name: f"{prefix}_{UNKNOWN}" for name, prefix in prefixes.items()} | {
        "session": "2147483647",
        "link": "2147483647",
        "project": "never-made",  # as long as the other's, which shows in Content-Length
        "organization": "never-org",
    }


def build(backend: MemoryBackend) -> World:
    """Make the rows, the people and their clients."""
    acme = Organization.objects.create(slug="acme", name="Acme")
    other = Organization.objects.create(slug="other-org", name="Other")
    prod = Project.objects.create(organization=acme, slug="acme-prod", name="Acme production")
    Project.objects.create(organization=acme, slug="acme-lab", name="Acme laboratory")
    theirs = Project.objects.create(organization=other, slug="other-prod", name="Other production")
    region = Region.objects.create(slug="local", name="This machine")
    cluster = Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})
    people = {
        "owner": person("owner@acme.example", acme, "owner"),
        "admin": person("admin@acme.example", acme, "admin"),
        "project_admin": person("lead@acme.example", acme, "member", prod, "admin"),
        "developer": person("developer@acme.example", acme, "member", prod, "developer"),
        "viewer": person("viewer@acme.example", acme, "member", prod, "viewer"),
        "billing": person("billing@acme.example", acme, "billing"),
        "auditor": person("auditor@acme.example", acme, "auditor"),
        "member": person("member@acme.example", acme, "member"),
        "stranger": person("stranger@other.example", other, "owner"),
        "operator": User.objects.create_user("operator@provider.example", is_operator=True),
        "support": User.objects.create_user("support@provider.example", is_support=True),
    }
    ProjectMembership.objects.create(user=people["stranger"], project=theirs, role="admin")
    mine, sibling = service(prod, cluster, "box"), service(prod, cluster, "second")
    foreign = service(theirs, cluster, "foreign")
    for row in (mine, sibling, foreign):
        secrets = {
            f"user-{child.id}": {"password": f"canary-{child.id}"} for child in row.children.filter(kind="users")
        }
        backend.secrets[row.handle] = secrets
    tokens = token_of(people["developer"], "read", name="old")[0], token_of(people["stranger"], name="theirs")[0]
    for place, who in ((prod, "developer"), (theirs, "stranger")):
        machine(place)
        told(place, people[who])
    twin_of(prod)
    invited(acme, people["owner"])
    invited(other, people["stranger"])
    world = World(backend, prod, mine, sibling, foreign, people, *tokens)
    for user in people.values():
        settle(user)
    for who in ("developer", "stranger"):
        second_browser(people[who])
    for project, who in ((prod, "developer"), (theirs, "stranger")):
        order = actions.OrderRequest(**ORDER)
        actions.quote_order(actor_for(people[who]), project, order)
    robot = _machine(User.objects.get(machine_of=acme.pk))
    world.whos = {who.name: who for who in [*_people(people), *_tokens(people["owner"]), robot, _nobody()]}
    world.dead = _dead_tokens(people["owner"], acme)
    for names in (world.own, world.theirs, world.of_sibling):
        names()  # now: a test may make more of what there is one of
    return world


def twin_of(project: Project) -> None:
    """Make a second project in which everybody has the role that they have in the first."""
    twin = Project.objects.create(organization=project.organization, slug="acme-twin", name="Acme twin")
    for row in project.memberships.all():
        ProjectMembership.objects.create(user=row.user, project=twin, role=row.role)


def invited(organization: Organization, by: User) -> None:
    """Make an invitation that was sent yesterday."""
    later = timezone.now() + datetime.timedelta(days=6)
    email, key = f"invited@{organization.slug}.example", f"digest-of-{organization.slug}"
    Invitation.objects.create(
        organization=organization, email=email, role="member", digest=key, invited_by=by, expires_at=later
    )


def first_invitation(organization: Organization) -> Invitation:
    """Return the one that ``invited`` made; a test may have made more."""
    return Invitation.objects.filter(organization=organization).earliest("id")


def machine(project: Project) -> None:
    """Make a service account with a token, limits, and open requests for more in a project and its organization."""
    organization = project.organization
    robot = User.objects.create_machine(name="robot", organization_id=organization.pk)
    Membership.objects.create(user=robot, organization=organization, role="member")
    ProjectMembership.objects.create(user=robot, project=project, role="developer")
    token_of(robot, "read", name="of a robot")
    for place in (project, None):
        where = {"organization": organization, "project": place}
        Quota.objects.create(**where, resource="services", limit=500)
        QuotaRequest.objects.create(**where, resource="vcpu", limit=64, reason=f"why-{organization.slug}-needs-it")


def of_machine(project: Project) -> dict[str, str]:
    """Return the ids that ``machine`` made."""
    robot = User.objects.get(machine_of=project.organization_id)
    requests = QuotaRequest.objects.filter(organization=project.organization_id)
    return {
        "account": robot.public_id,
        "machine_token": ApiToken.objects.get(user=robot, name="of a robot").public_id,
        "quota_request": requests.get(project=project).public_id,
        "organization_request": requests.get(project=None).public_id,
    }


def second_browser(user: User) -> None:
    """Sign somebody in elsewhere as well, and link them with a provider."""
    elsewhere = Asker()
    sign_in(elsewhere, user)
    key = elsewhere.session.session_key
    number = HIGH + SocialAccount.objects.count()
    UserSession.objects.create(pk=number, user=user, ip="192.0.2.8", session_key=key, user_agent="second")
    SocialAccount.objects.create(pk=number, user=user, provider="corp", uid=f"subject-of-{user.pk}")


def service(project: Project, cluster: Cluster, name: str) -> Resource:
    """Return a toy that runs, with a login, a backup, an operation, an event, a quote and an audit row."""
    now = timezone.now()
    row = Resource(project=project, region=cluster.region, cluster=cluster, offering_slug="toy", version="2", name=name)
    row.release, row.plan_slug, row.spec = "2.0", "dev-2", TOY.spec().model_dump(mode="json")
    row.observed_generation, row.ready_once_at, row.next_reconcile_at = 1, now, None
    row.conditions, row.facts = [READY], {"endpoints": [{**ENDPOINT, "host": f"{name}.service.example"}]}
    refresh(row)
    row.save()
    login = {"access": "write", "main": True, "predecessor": None}
    Child.objects.create(resource=row, kind="users", name="admin", spec=login, state="ready", observed_generation=1)
    artifact = {"artifact": "one.tar", "bytes": 10}
    Child.objects.create(
        resource=row,
        kind="backups",
        name="one",
        state="succeeded",
        facts=artifact,
        observed_generation=1,
        finished_at=now,
    )
    later = now + datetime.timedelta(minutes=5)
    made = Operation.objects.create(
        resource=row, type="backup", lane="backup", state="running", generation=1, deadline_at=later
    )
    Event.objects.create(
        resource=row, project=row.project, operation=made, reason="Requested", message="Create requested"
    )
    Change.objects.create(resource=row, at=now, plan_slug="dev-2", spec=row.spec, running=True)
    Quote.objects.create(project=project, resource=row, fingerprint="x", body={}, expires_at=later)
    target = {"target_kind": "service", "target_id": row.id, "target_name": name, "reason": f"why-{name}-was-made"}
    place = {"organization_id": project.organization_id, "project_id": project.id}
    AuditEvent.objects.create(actor_kind="system", action="service.create", **target, **place)
    return row


def _people(people: Mapping[str, User]) -> list[Who]:
    """Return everybody with what the one table of permissions says of their roles."""
    organization_role = dict.fromkeys(("project_admin", "developer", "viewer", "member"), "member")
    organization_role |= {name: name for name in ("owner", "admin", "billing", "auditor")}
    project_role = {"project_admin": "admin", "developer": "developer", "viewer": "viewer"}
    provider = {"operator": table.OPERATOR, "support": table.SUPPORT}
    found = []
    for name, user in people.items():
        role = organization_role.get(name)
        in_organization = table.organization_permissions(role) | provider.get(name, frozenset())
        in_project = in_organization | table.BY_PROJECT_ROLE.get(project_role.get(name, ""), frozenset())
        browser = Asker()
        sign_in(browser, user)
        found.append(Who(name, user, in_project, in_organization, browser=browser, api=_bearer(user)))
    return found


def _tokens(owner: User) -> list[Who]:
    """Return tokens of the owner, with what each scope leaves of an owner's permissions (README, "Tokens")."""
    everything = table.BY_ORGANIZATION_ROLE["owner"]
    in_place = frozenset(p for p in everything if not p.startswith(LIMITED)) | {"organization.read"}
    of_family = frozenset(p for p in everything if p.startswith("service.")) | {"project.read", "organization.read"}
    name_alone = frozenset({"organization.read"})
    reading = everything & table.READ_SCOPE
    return [
        _token(owner, "read", reading, reading),
        _token(owner, "write", everything, everything),
        _token(owner, "project:acme-prod", in_place, name_alone),
        _token(owner, "project:acme-lab", frozenset(), name_alone),
        _token(owner, "project:other-prod", frozenset(), frozenset()),
        _token(owner, "family:toys", of_family, name_alone),
        _token(owner, "family:databases", of_family, name_alone, sees_family=False),
    ]


def _token(
    owner: User, scope: str, project: frozenset[str], organization: frozenset[str], *, sees_family: bool = True
) -> Who:
    return Who(scope, owner, project, organization, sees_family, (scope,), api=_bearer(owner, scope))


def _machine(robot: User) -> Who:
    """Return the service account: a developer of one project."""
    member = table.organization_permissions("member")
    in_project = member | table.BY_PROJECT_ROLE["developer"]
    return Who("machine", robot, in_project, member, api=_bearer(robot))


def _dead_tokens(owner: User, acme: Organization) -> dict[str, Asker]:
    """Return clients with tokens that gave all once: revoked, at its end, and of somebody who was shut out."""
    past = timezone.now() - datetime.timedelta(seconds=1)
    found = {}
    for name, end in (("revoked", {"revoked_at": past}), ("expired", {"expires_at": past})):
        token, plain = token_of(owner, name=name)
        ApiToken.objects.filter(pk=token.pk).update(**end)
        found[name] = Asker(headers={"authorization": f"Bearer {plain}"})
    gone = person("gone@acme.example", acme, "owner")
    found["of somebody shut out"] = _bearer(gone)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    return found


def _nobody() -> Who:
    return Who("nobody", None, frozenset(), frozenset(), browser=Asker())


def _bearer(user: User, *scopes: str) -> Asker:
    token, plain = token_of(user, *scopes)
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now() + datetime.timedelta(hours=1))
    return Asker(headers={"authorization": f"Bearer {plain}"})
