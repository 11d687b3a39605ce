"""What is told to people and machines. All of it is written in the transaction of what it is about."""

from portal.notify.actions.announcements import announce, end_announcement, update_announcement
from portal.notify.actions.forgetting import forget_old
from portal.notify.actions.mails import retry_mail
from portal.notify.actions.reading import read_mail
from portal.notify.actions.telling import emit, mark_read, prefer, tell
from portal.notify.actions.webhooks import (
    Wanted,
    change_webhook,
    create_webhook,
    delete_webhook,
    replay,
    rotate_secret,
    send_test,
)

__all__ = [
    "Wanted",
    "announce",
    "change_webhook",
    "create_webhook",
    "delete_webhook",
    "emit",
    "end_announcement",
    "forget_old",
    "mark_read",
    "prefer",
    "read_mail",
    "replay",
    "retry_mail",
    "rotate_secret",
    "send_test",
    "tell",
    "update_announcement",
]
