"""Who a password or a session is believed of: people, never a service account, nobody shut out or erased."""

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from portal.accounts.models import User


class PeopleBackend(ModelBackend):
    """Django's own, which asks this of each sign-in and of each request that brings a session."""

    def user_can_authenticate(self, user: AbstractBaseUser | AnonymousUser | None) -> bool:
        return isinstance(user, User) and user.may_sign_in
