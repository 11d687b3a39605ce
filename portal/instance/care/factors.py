"""Second factors' secrets, which allauth keeps inside a JSON column (``accounts.factor_adapter`` seals them)."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from allauth.mfa.models import Authenticator

from portal.core import vault

SEALED = ("secret", "seed")  # of a code app, of recovery codes


def reseal(again: Callable[[str], str]) -> Counter[int]:
    """Seal each secret anew where its row is still as it was read; return how many are under which key then."""
    found: Counter[int] = Counter()
    for factor in Authenticator.objects.order_by("pk").iterator(200):
        data = {**factor.data, **{name: again(text) for name, text in _texts(factor.data).items()}}
        if data != factor.data:
            Authenticator.objects.filter(pk=factor.pk, data=factor.data).update(data=data)
        found.update(vault.version_of(text) for text in _texts(data).values())
    return found


def _texts(data: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(data[name]) for name in SEALED if data.get(name)}
