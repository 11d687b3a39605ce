"""The Celery application and its beat table. Every task takes ids only; the truth is in the database."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("archipel")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "sweep-due-services": {"task": "portal.resources.tasks.sweep_due", "schedule": 5.0},
    "look-for-drift": {"task": "portal.resources.tasks.look_for_drift", "schedule": 60.0},
    "discover-clusters": {"task": "portal.clusters.tasks.discover", "schedule": 60.0},
    "forget-old-answers": {"task": "portal.resources.tasks.forget_old_answers", "schedule": 3600.0},
    "maintain-services": {"task": "portal.resources.tasks.maintain", "schedule": 600.0},
    "seal-audit": {"task": "portal.audit.tasks.seal", "schedule": 10.0},
    "keep-audit-heads": {"task": "portal.audit.tasks.keep_heads", "schedule": 60.0},
    "send-mail": {"task": "portal.notify.tasks.send_mail", "schedule": 30.0},
    "deliver-webhooks": {"task": "portal.notify.tasks.deliver", "schedule": 15.0},
    "deliver-to-slow-webhooks": {"task": "portal.notify.tasks.deliver_slow", "schedule": 15.0},
    "forget-what-was-told": {"task": "portal.notify.tasks.forget_old", "schedule": 3600.0},
    "heartbeat": {"task": "portal.instance.tasks.heartbeat", "schedule": 5.0},
}
