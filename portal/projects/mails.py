"""Mails about organizations: a template each under ``templates/projects/mail``, plain text."""

from collections.abc import Mapping
from typing import Any

from django.core.mail import send_mail
from django.template.loader import render_to_string


def send(to: str, subject: str, template: str, context: Mapping[str, Any]) -> None:
    """Send one mail. Called inside the act's transaction: the backend keeps it and sends it once that has committed."""
    send_mail(subject, render_to_string(f"projects/mail/{template}.txt", dict(context)), None, [to])
