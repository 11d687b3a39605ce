"""What allauth asks us about accounts: who may sign up and in, what is written down, how mail looks."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.accounts import addresses, reauthentication, signup, trail, ways_in
from portal.accounts.models import MACHINES, User

NAME = "Archipel"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "by_invitation": _("Here, people sign up by invitation, with the address that it was sent to."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return signup.is_open(request)

    def clean_email(self, email: str) -> str:
        """Refuse what is no person's address; nobody owns a mailbox in the domain of service accounts."""
        if email.lower().endswith(f"@{MACHINES}"):
            raise self.validation_error("invalid_login")
        return str(super().clean_email(email))

    def pre_login(self, request: HttpRequest, user: User, **login: Any) -> HttpResponse | None:
        """Turn away who has no way in, whatever they have shown."""
        if not user.may_sign_in:
            clear_login(request)
            inactive: HttpResponse = self.respond_user_inactive(request, user)
            return inactive
        addresses.settle(user)
        if by_provider := (login.get("signal_kwargs") or {}).get("sociallogin"):
            addresses.vouch(user, [address.email for address in by_provider.email_addresses])
        answer: HttpResponse | None = super().pre_login(request, user, **login)
        return answer

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign in after the last stage, and write it down in the same transaction."""
        if not ways_in.proofs(request, user):
            ways_in.note(request, user, ways_in.SIGN_UP)  # a password chosen and a code from the mailbox, just now
        with transaction.atomic():
            super().login(request, user)
            trail.signed_in(request, user)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Write down a wrong password of somebody who is in; signing in goes by a view of our own."""
        if isinstance(request.user, User):
            trail.not_proven(request, request.user, "user.reauthenticate")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Signing in is a proof too, as long as it is recent; allauth counts only those given again."""
        return not reauthentication.is_recent(self.request)

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """Offer signing in anew to who has neither password nor factor."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        again = {"id": "sign_in", "description": _("Sign in again"), "url": reverse("sign_in_again")}
        return methods or [again]

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_security")

    def render_mail(self, template_prefix: str, email: Any, context: dict[str, Any], headers: Any = None) -> Any:
        """Make a mail of allauth's text, under our name, with the same in HTML beside it."""
        context = {**context, "site": NAME}
        mail = super().render_mail(template_prefix, email, context, headers)
        if isinstance(mail, EmailMultiAlternatives) and not mail.alternatives:
            page = render_to_string("accounts/mail.html", {"subject": mail.subject, "text": mail.body, "site": NAME})
            mail.attach_alternative(page, "text/html")
        return mail
