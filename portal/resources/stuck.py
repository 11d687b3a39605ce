"""Operations that take longer than they should, and what each waits for: for operators, who look at many tenants'."""

import datetime

from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.utils import timezone

from portal.core import conditions
from portal.resources.models import Operation

PATIENCE = 3  # times what the offering expects
LEAST = datetime.timedelta(minutes=1)  # a short operation is not called stuck before


def stuck(now: datetime.datetime | None = None) -> QuerySet[Operation]:
    """Return open operations that run three times as long as their offering expects, or are past their deadline."""
    at = now or timezone.now()
    expected = F("expected_seconds") * datetime.timedelta(seconds=PATIENCE)
    spent = ExpressionWrapper(F("created_at") + expected, output_field=DateTimeField())
    late = Q(created_at__lt=at - LEAST, patience_ends__lt=at) | Q(deadline_at__lt=at)
    return Operation.objects.open().annotate(patience_ends=spent).filter(late)


def waits_for(operation: Operation) -> str:
    """Say what an operation waits for: the service's own word on why it is not as asked for, else its last message."""
    rows = operation.resource.conditions
    for kind in ("Synced", "Ready", "Accepted"):
        found = conditions.find(rows, kind)
        if found is not None and found.status is not conditions.Status.TRUE:
            return f"{found.reason}: {found.message}" if found.message else found.reason
    return operation.message
