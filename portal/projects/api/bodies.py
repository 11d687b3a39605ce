"""Bodies of the API of an organization, its people and its invitations."""

from rest_framework import serializers

from portal.core.api.serializers import Choice, Strict, Text, Word
from portal.projects.models import OrganizationRole, ProjectRole


class OrganizationBody(Strict):
    """What may change on an organization."""

    name = Text(max_length=120, allow_blank=False)


class InvitationBody(Strict):
    """Whom to invite, with which role, and by slug with which roles in projects."""

    email = serializers.EmailField(max_length=254)
    role = Choice(choices=OrganizationRole.values, default="member")
    project_roles = serializers.DictField(child=Choice(choices=ProjectRole.values), required=False)


class PersonBody(Strict):
    """The roles of a member; what is left out stays, null takes a project's role away."""

    role = Choice(choices=OrganizationRole.values, required=False)
    project_roles = serializers.DictField(child=Choice(choices=ProjectRole.values, allow_null=True), required=False)


class TransferBody(Strict):
    """The member who is to be the owner."""

    member = Word(max_length=40)


class CloseBody(Strict):
    """The organization's name or slug, so that nobody closes the wrong one."""

    confirm = Word(max_length=120)


class ReopenBody(Strict):
    """Why, where the provider does it; the customer reads it."""

    reason = Text(max_length=500, required=False)


class AnswerBody(Strict):
    """What stands in the link behind ``/invitations/``."""

    token = Word(max_length=200)
