"""What allauth asks us about second factors: how their secrets are kept, and under which name and host they stand."""

from urllib.parse import urlsplit

import qrcode
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.utils.translation import gettext as _
from qrcode.image.svg import SvgPathImage

from portal.accounts.models import User
from portal.core import vault

NAME = "Archipel"


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        """Seal the secret of a code app or of recovery codes for its column."""
        return vault.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return vault.unseal(encrypted_text)

    def build_totp_svg(self, url: str) -> str:
        """Draw the code as SVG to stand in the page itself: the content security policy allows no ``data:``."""
        image = qrcode.make(url, image_factory=SvgPathImage, border=2)
        return str(image.to_string(encoding="unicode"))

    def generate_authenticator_name(self, user: User, type: str) -> str:  # noqa: A002 - allauth's name
        return _("Passkey")

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Bind passkeys to the portal's own name, so that another host that it answers to can't use them."""
        own = urlsplit(settings.BASE_URL).hostname or ""
        host = own if settings.SECURE else context.request.get_host().partition(":")[0]
        return {"id": host, "name": NAME}

    def _get_site_name(self) -> str:
        return NAME
