"""Forms of second factors and passwords where ours differ from allauth's in a rule or in words."""

from typing import Any

from allauth.account.forms import ChangePasswordForm, ResetPasswordForm, SignupForm
from allauth.core import context
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY, generate_totp_secret
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.utils.translation import gettext_lazy as _

from portal.accounts import signup, trail
from portal.accounts.adapter import AccountAdapter
from portal.accounts.models import User
from portal.core import vault


class ActivateAppForm(ActivateTOTPForm):  # type: ignore[misc]
    """Keeps the secret sealed in the session until a first code has proven that the app has it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(self, *args, **kwargs)
        self.secret = self._kept() if self.is_bound else ""
        if not self.secret:
            self.secret = generate_totp_secret()
            context.request.session[SECRET_SESSION_KEY] = vault.seal(self.secret)
        self.fields["code"].label = _("Code from the app")
        self.fields["code"].widget.attrs |= {"placeholder": "", "inputmode": "numeric"}

    def _kept(self) -> str:
        sealed = context.request.session.get(SECRET_SESSION_KEY, "")
        return vault.unseal(sealed) if sealed else ""


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name, alone = self.fields["name"], self.fields["passwordless"]
        name.label, name.max_length = _("Name"), 60
        name.help_text = _("By which you know it later, such as the device that it is on.")
        alone.initial = True
        alone.label = _("Sign in with it alone")
        alone.help_text = _(
            "Takes a fingerprint, a face or a PIN on the device. Without it, it is a second factor only."
        )


class SignUpForm(SignupForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = _("At least 12 characters.")
        if invited := signup.invited(context.request):
            self.fields["email"].initial = invited

    def clean_email(self) -> str:
        """Take the invited address alone where sign-up is off."""
        if not signup.is_open_for(context.request, self.cleaned_data["email"]):
            raise AccountAdapter().validation_error("by_invitation")
        return str(super().clean_email())


class NewPasswordForm(ChangePasswordForm):  # type: ignore[misc]
    def clean_oldpassword(self) -> str:
        """Write down who did not know the old one."""
        try:
            return str(super().clean_oldpassword())
        except forms.ValidationError:
            trail.not_proven(context.request, self.user, "user.password_change")
            raise


class ForgottenPasswordForm(ResetPasswordForm):  # type: ignore[misc]
    users: list[User]

    def clean_email(self) -> str:
        """Find people alone: no service account and nobody erased gets a code."""
        email = str(super().clean_email())
        self.users = [user for user in self.users if user.may_sign_in]
        return email
