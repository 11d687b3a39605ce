"""What services keep of people: answers to their requests, for a day. Asked through ``core.personal``."""

from portal.core.personal import Holder, Person, mentioning
from portal.resources.models import IdempotencyKey


def collect(person: Person) -> dict[str, list[dict[str, str]]]:
    """Return nothing of its own: an answer that is kept for a day holds what stands elsewhere."""
    return {}


def erase(person: Person) -> None:
    """Forget the answers that somebody got, and those in which an address of theirs stands."""
    IdempotencyKey.objects.filter(account=person.id).delete()
    found = mentioning(IdempotencyKey.objects.all(), "body", person).values("pk")
    IdempotencyKey.objects.filter(pk__in=found).delete()


HOLDER = Holder(collect=collect, erase=erase)
