"""A region on the real API server, the toy that can be ordered there, and requests that can be counted and cut off."""

import secrets
import string
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from portal.clusters import registry as clusters
from portal.clusters.backends.base import Tenancy, Wanted
from portal.clusters.backends.kubernetes import clients, tenancy
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.models import Cluster, Region
from portal.core import registry, vault
from portal.core.drivers import GeneratedSecret
from portal.projects.models import Project
from tests.cluster.toy import TOY_ON_KUBERNETES


class Kill(BaseException):
    """The worker is gone, as by SIGKILL: nothing catches it."""


@dataclass
class Requests:
    """What was asked of the API server, and where that is cut off: before or after the request itself."""

    asked: list[str] = field(default_factory=list)
    kill_at: int = 0  # the how manieth from now on; 0: never
    kill_after: bool = False

    def arm(self, nth: int, *, after: bool) -> None:
        self.asked.clear()
        self.kill_at, self.kill_after = nth, after

    def disarm(self) -> None:
        self.asked.clear()
        self.kill_at = 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Around the test's own requests: they are not counted."""
        asked, kill_at, self.kill_at = list(self.asked), self.kill_at, 0
        yield
        self.asked[:], self.kill_at = asked, kill_at


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    found, ask = Requests(), Client._ask

    def counted(self: Client, method: str, path: str, *args: Any, **more: Any) -> Any:
        found.asked.append(f"{method} {path}")
        dies = len(found.asked) == found.kill_at
        if dies and not found.kill_after:
            raise Kill
        answer = ask(self, method, path, *args, **more)
        if dies:
            raise Kill
        return answer

    monkeypatch.setattr(Client, "_ask", counted)
    return found


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**registry.offerings(), "toy": TOY_ON_KUBERNETES}
    monkeypatch.setattr(registry, "offerings", lambda: found)


@pytest.fixture
def cluster(db: None, control_plane: Any) -> Iterator[Cluster]:
    region = Region.objects.create(slug="dev", name="Development")
    sealed = vault.seal(control_plane.kubeconfig())
    capabilities = {"version": "1.36.3", "apis": {}}
    yield Cluster.objects.create(
        region=region, name="dev", kind="kubernetes", kubeconfig=sealed, capabilities=capabilities
    )
    clients._held.clear()
    clusters._backend.cache_clear()


@pytest.fixture
def backend(toy: None, cluster: Cluster, requests: Requests) -> KubernetesBackend:
    tenancy.forget()
    return KubernetesBackend(cluster)


@pytest.fixture
def client(backend: KubernetesBackend) -> Client:
    return backend._client


@pytest.fixture
def api(client: Client) -> Client:
    return client


def new_handle() -> str:
    return secrets.choice(string.ascii_lowercase) + "".join(
        secrets.choice(string.ascii_lowercase + string.digits) for _ in range(11)
    )


@pytest.fixture
def handle() -> str:
    return new_handle()


@pytest.fixture
def place(project: Project) -> Tenancy:
    return Tenancy(f"prj-{uuid.uuid4().hex[-16:]}", project.organization_id, project.id)


@pytest.fixture
def turn(backend: KubernetesBackend, handle: str, place: Tenancy) -> Callable[..., list[Any]]:
    """``turn(rendered, fence)``: what the engine does with a backend in one turn."""

    def take(rendered: list[Any], fence: int = 1) -> list[Any]:
        backend.prepare(handle, place)
        backend.ensure_secrets(handle, [item for item in rendered if isinstance(item, GeneratedSecret)])
        backend.apply(Wanted(handle, fence, fence, rendered))
        return list(backend.read(handle))

    return take
