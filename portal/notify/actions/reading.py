"""Reading a mail of the outbox: it may hold a link that lets somebody in, so each look has a reason and is recorded."""

from django.db import transaction
from django.utils.translation import gettext as _

from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, permission_denied
from portal.notify.models import Mail
from portal.notify.outbox import text_of


@transaction.atomic
def read_mail(actor: Actor, mail: Mail, *, reason: str) -> str:
    """Return what a mail says, to an operator who says why. Raises Problem: ``permission_denied``, ``gone``."""
    if not actor.is_operator or actor.scopes is not None:
        problem = permission_denied("provider.operate", "the outbox")
        raise audit.denied(problem, actor=actor, action="mail.read", target_kind="mail", target_id=mail.id)
    if not reason.strip():
        raise invalid(FieldError("/reason", "required", _("Say why; it is read in the audit log.")))
    if not mail.sealed:
        raise conflict("gone", _("This mail was sent, and what it said was let go of."))
    audit.record(actor=actor, action="mail.read", target_kind="mail", target_id=mail.id, reason=reason.strip())
    return text_of(mail)
