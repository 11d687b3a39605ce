"""The API of an organization's service accounts and their tokens."""

from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.accounts.queries import living_tokens_of
from portal.accounts.reauthentication import require_recent
from portal.core.api.idempotency import once
from portal.core.api.pagination import known_parameters, page
from portal.core.api.schema import IDEMPOTENCY_KEY, described
from portal.core.api.serializers import read
from portal.projects import access, machines
from portal.projects.api.machine_serializers import (
    MachineAnswer,
    MachineBody,
    MachineChange,
    NewTokenAnswer,
    TokenAnswer,
    TokenBody,
    machine_answer,
    token_answer,
)

SORTS = {"name": "name", "created_at": "created_at"}


@described("GET", "service_accounts_list", "List service accounts", answer=MachineAnswer, paged=True)
@described(
    "POST",
    "service_accounts_create",
    "Make a service account",
    answer=MachineAnswer,
    status=201,
    body=MachineBody,
    parameters=[IDEMPOTENCY_KEY],
)
@api_view(["GET", "POST"])
def service_accounts(request: Request, organization: str) -> Response:
    """List an organization's service accounts, or make one."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, machines.PERMISSION)
    if request.method == "GET":
        return page(request, machines.machines_of(found), machine_answer, sorts=SORTS, default="name")
    known_parameters(request)
    body = read(request, MachineBody)

    def act() -> Response:
        made = machines.create(actor, organization=found, **body)
        headers = {"Location": f"/api/v1/organizations/{found.public_id}/service-accounts/{made.public_id}"}
        return Response(machine_answer(made), status=status.HTTP_201_CREATED, headers=headers)

    return once(request, actor.id, act)


@described("GET", "service_accounts_get", "Show a service account", answer=MachineAnswer)
@described("PATCH", "service_accounts_change", "Change a service account", answer=MachineAnswer, body=MachineChange)
@described("DELETE", "service_accounts_delete", "Delete a service account; its tokens end at once", status=204)
@api_view(["GET", "PATCH", "DELETE"])
def service_account(request: Request, organization: str, account: str) -> Response:
    """Show, change or delete one service account."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, machines.PERMISSION)
    machine = machines.access_machine(actor, found, account)
    known_parameters(request)
    if request.method == "DELETE":
        machines.delete(actor, organization=found, machine=machine)
        return Response(status=status.HTTP_204_NO_CONTENT)
    if request.method == "PATCH":
        machine = machines.change(actor, organization=found, machine=machine, **read(request, MachineChange))
    return Response(machine_answer(machine))


@described(
    "GET",
    "service_account_tokens_list",
    "List a service account's tokens; a scoped token sees none that is stronger",
    answer=TokenAnswer,
    paged=True,
)
@described(
    "POST",
    "service_account_tokens_create",
    "Make a token of a service account; its secret is in this answer alone",
    answer=NewTokenAnswer,
    status=201,
    body=TokenBody,
)
@api_view(["GET", "POST"])
def service_account_tokens(request: Request, organization: str, account: str) -> Response:
    """List its tokens, or make one. No Idempotency-Key: a kept answer would keep the secret."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, machines.PERMISSION)
    machine = machines.access_machine(actor, found, account)
    if request.method == "GET":
        return page(request, living_tokens_of(machine, actor.scopes), token_answer)
    require_recent(request)
    known_parameters(request)
    token, plain = machines.make_token(actor, organization=found, machine=machine, **read(request, TokenBody))
    address = f"/api/v1/organizations/{found.public_id}/service-accounts/{machine.public_id}/tokens/{token.public_id}"
    answer = NewTokenAnswer(**token_answer(token), token=plain)
    return Response(answer, status=status.HTTP_201_CREATED, headers={"Location": address})


@described("DELETE", "service_account_tokens_revoke", "Revoke a service account's token at once", status=204)
@api_view(["DELETE"])
def service_account_token(request: Request, organization: str, account: str, machine_token: str) -> Response:
    """End one token of a service account."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, machines.PERMISSION)
    machine = machines.access_machine(actor, found, account)
    known_parameters(request)
    machines.revoke_token(actor, organization=found, token=machines.access_token(actor, machine, machine_token))
    return Response(status=status.HTTP_204_NO_CONTENT)
