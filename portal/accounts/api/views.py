"""The tokens API: one's own tokens, listed, made, revoked."""

from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts import actions, queries
from portal.accounts.actors import actor_of
from portal.accounts.api.serializers import NewTokenAnswer, TokenAnswer, TokenBody, token_answer
from portal.accounts.reauthentication import require_recent
from portal.core.api.pagination import page
from portal.core.api.schema import described
from portal.core.api.serializers import read


@described(
    "GET",
    "tokens_list",
    "List your own tokens; a scoped one sees none that is stronger",
    answer=TokenAnswer,
    paged=True,
)
@described(
    "POST",
    "tokens_create",
    "Make a token; its secret is in this answer alone",
    answer=NewTokenAnswer,
    status=201,
    body=TokenBody,
)
@api_view(["GET", "POST"])
def tokens(request: Request) -> Response:
    """List one's tokens, or make one. No Idempotency-Key: a kept answer would keep the secret."""
    if request.method == "GET":
        return page(request, queries.living_tokens(actor_of(request)), token_answer)
    actor = actor_of(request)
    actions.require_writing(actor, "token.create")
    require_recent(request)
    body = read(request, TokenBody)
    token, plain = actions.create_token(actor, name=body["name"], scopes=body["scopes"], expires_at=body["expires_at"])
    answer = NewTokenAnswer(**token_answer(token), token=plain)
    return Response(answer, status=status.HTTP_201_CREATED, headers={"Location": f"/api/v1/tokens/{token.public_id}"})


@described("DELETE", "tokens_revoke", "Revoke a token at once", status=204)
@api_view(["DELETE"])
def token(request: Request, token: str) -> Response:
    """End one of one's own tokens."""
    actor = actor_of(request)
    actions.revoke_token(actor, queries.access_token(actor, token))
    return Response(status=status.HTTP_204_NO_CONTENT)
