"""An instance that wrote audit rows before there were chains: its rows are kept and sealed like all others."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from portal.audit import sealing, verifying
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)
KEY = uuid.UUID(int=7)
BEFORE = [("audit", "0001_initial")]


def migrate(to: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(to)
    return MigrationExecutor(connection).loader.project_state(to).apps


@pytest.fixture
def apps_before() -> Iterator[Any]:
    latest = [key for key in MigrationExecutor(connection).loader.graph.leaf_nodes() if key[0] == "audit"]
    try:
        yield migrate(BEFORE)
    finally:
        migrate(latest)


def test_rows_from_before_are_kept_and_sealed(apps_before: Any) -> None:
    old = apps_before.get_model("audit", "AuditEvent")
    for number in range(3):
        old.objects.create(
            organization_id=KEY, actor_kind="user", action=f"a{number}", target_kind="b", address="192.0.2.1"
        )
    migrate([("audit", "0003_append_only")])
    AuditEvent.objects.create(organization_id=KEY, actor_kind="user", action="a3", target_kind="b")
    assert sealing.seal_all() == 4
    assert list(AuditEvent.objects.order_by("position").values_list("action", flat=True)) == ["a0", "a1", "a2", "a3"]
    assert verifying.verify_chain(KEY).flaws == []
