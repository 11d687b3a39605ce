"""What operators do with a mail that failed, or that was kept while there was no mail server."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, permission_denied
from portal.notify import tasks
from portal.notify.models import Mail


@transaction.atomic
def retry_mail(actor: Actor, mail: Mail, *, reason: str) -> None:
    """Have a mail tried again at once.

    Raises Problem: ``permission_denied``, ``invalid_arguments`` without a reason, ``no_mail_server``, ``gone`` for one
    that was sent or is on its way.
    """
    if not actor.is_operator or actor.scopes is not None:
        problem = permission_denied("provider.operate", "the outbox")
        raise audit.denied(problem, actor=actor, action="mail.retry", target_kind="mail", target_id=mail.id)
    if not reason.strip():
        raise invalid(FieldError("/reason", "required", _("Say why; it is read in the audit log.")))
    if not settings.EMAIL_HOST:
        raise conflict("no_mail_server", _("There is no mail server: EMAIL_HOST is not set."))
    held = Mail.objects.select_for_update().get(id=mail.id)
    if held.state not in (Mail.State.FAILED, Mail.State.KEPT):
        raise conflict("gone", _("This mail was sent, or is on its way."))
    held.state, held.next_at, held.attempts, held.error = Mail.State.QUEUED, timezone.now(), 0, ""
    held.save(update_fields=["state", "next_at", "attempts", "error"])
    audit.record(actor=actor, action="mail.retry", target_kind="mail", target_id=held.id, reason=reason.strip())
    transaction.on_commit(tasks.enqueue_mail)
