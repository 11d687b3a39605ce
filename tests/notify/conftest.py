"""A receiver on loopback that an operator has allowed, and an organization's webhook to it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from portal.core.actors import SYSTEM
from portal.notify import actions, delivering, tasks
from portal.notify.actions import Wanted
from portal.notify.models import Webhook
from portal.projects.models import Organization
from tests.core.receiver import Receiver, receiving


@pytest.fixture
def receiver(tmp_path: Path, settings: Settings) -> Iterator[Receiver]:
    settings.OUTBOUND_NETWORKS, settings.OUTBOUND_HTTP = ["127.0.0.0/8"], True
    with receiving(tmp_path, tls=False) as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the broker, which is not there."""
    found: list[str] = []
    monkeypatch.setattr(tasks, "_enqueue", lambda task: found.append(task.name.rpartition(".")[2]))
    return found


@pytest.fixture
def hook(organization: Organization, receiver: Receiver, asked: list[str]) -> Webhook:
    """A webhook of Acme's for everything; ``hook.plain`` is its secret."""
    wanted = Wanted(url=receiver.url("http", "127.0.0.1"), description="Chat")
    made, secret = actions.create_webhook(SYSTEM, organization_id=organization.id, wanted=wanted)
    made.plain = secret  # type: ignore[attr-defined]
    return made


@pytest.fixture
def deliver() -> Callable[..., bool]:
    """Take a round in both lanes, without threads of its own database connections."""

    def rounds(*lanes: str) -> bool:
        more = [delivering.take_round(lane) for lane in lanes or ("quick", "slow")]
        return any(more)

    return rounds


@pytest.fixture
def emitted(organization: Organization) -> Callable[..., None]:
    """``emitted(type, **data)``: something has happened at Acme."""

    def emit(type_: str = "service.created", **data: Any) -> None:
        actions.emit(type_, organization_id=organization.id, subject="svc_1", data=data)

    return emit
