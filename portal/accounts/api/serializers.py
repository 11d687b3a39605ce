"""Bodies and answers of the tokens API."""

from rest_framework import serializers
from typing_extensions import TypedDict

from portal.accounts.models import ApiToken
from portal.core.api.serializers import Strict, Text
from portal.core.api.shapes import Moment, moment


class TokenBody(Strict):
    """A new token; without scopes it may do all that the one who makes it may."""

    name = Text(max_length=100, allow_blank=False)
    scopes = serializers.ListField(child=Text(max_length=80), max_length=50, required=False, default=list)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class TokenAnswer(TypedDict):
    """A token without its secret."""

    id: str
    name: str
    hint: str
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None


class NewTokenAnswer(TokenAnswer):
    """A token that was just made, with its secret, which is told this once."""

    token: str


def token_answer(token: ApiToken) -> TokenAnswer:
    return TokenAnswer(
        id=token.public_id,
        name=token.name,
        hint=token.hint,
        scopes=token.scopes,
        created_at=moment(token.created_at),
        expires_at=moment(token.expires_at),
        last_used_at=moment(token.last_used_at),
    )
