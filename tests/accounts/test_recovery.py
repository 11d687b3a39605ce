"""Taking away somebody's lost factors: at the machine, or by an operator."""

from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from portal.accounts.models import User
from portal.accounts.recovery import remove_factors
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem
from tests.accounts.ways import by_password, enroll, factors, is_in, with_password


def test_the_command_takes_them_away_and_ends_the_sessions(owner: User, capsys: pytest.CaptureFixture[str]) -> None:
    client = Client()
    by_password(client, with_password(owner))
    enroll(owner)
    call_command("removefactors", owner.email.upper())
    assert "2 factors removed" in capsys.readouterr().out
    assert factors(owner) == set()
    assert client.get("/account").status_code == 302
    by_password(client, owner)
    assert is_in(client)
    assert AuditEvent.objects.get(action="user.factor_remove").changes == {"factors": [["totp", "recovery_codes"], []]}
    with pytest.raises(CommandError, match="Nobody"):
        call_command("removefactors", "nobody@example.org")


def test_an_operator_may_for_others_and_nobody_else(
    owner: User, admin: User, operator: User, actor_of: Callable[..., Actor]
) -> None:
    enroll(owner)
    enroll(operator)
    for actor, user in ((actor_of(admin), owner), (actor_of(operator), operator), (actor_of(owner), owner)):
        with pytest.raises(Problem, match="permission_denied"):
            remove_factors(actor, user, reason="lost")
    assert factors(owner) == factors(operator) == {"totp", "recovery_codes"}
    assert remove_factors(actor_of(operator), owner, reason="seen in person") == 2
    assert factors(owner) == set()
