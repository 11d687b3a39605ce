"""What a change will do, in words, before anybody commits to it: price, downtime, what goes and what stays."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.clusters.placement import keeps_backups
from portal.core.offerings import Nature, Verb
from portal.core.restarts import Interruption
from portal.core.templatetags.formats import about, hourly, money
from portal.projects import quotas
from portal.resources.actions.quotes import interruption_of, restart_of
from portal.resources.models import Child, Quote, Resource
from portal.resources.quotas import NEAR


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of what will happen."""

    text: str | Promise
    icon: str = "info"
    tone: str = ""  # "", warning or danger


INTERRUPTIONS = {
    Interruption.NONE: Effect(gettext_lazy("Connections stay open."), "plug"),
    Interruption.RESTART: Effect(
        gettext_lazy("Connections drop while the engine restarts. How long is not known beforehand."),
        "timer",
        "warning",
    ),
    Interruption.ROLLING: Effect(
        gettext_lazy("The nodes restart one after the other: connections to each drop until it is back."),
        "timer",
        "warning",
    ),
    Interruption.SWITCHOVER: Effect(
        gettext_lazy(
            "The nodes restart one after the other, and another one takes over before the turn of the one that is "
            "written to: connections drop once while it does."
        ),
        "timer",
        "warning",
    ),
    Interruption.STOP: Effect(
        gettext_lazy("Open connections are closed, and no new ones are taken until you start it."), "unplug", "warning"
    ),
}


def effects_of_quote(quote: Quote) -> tuple[Effect, ...]:
    """Say what a quoted change does to price and availability."""
    body = quote.body
    drop = interruption_of(quote), body["downtime_seconds"]
    return (_price_effect(body), _downtime_effect(quote.resource, *drop), *_quota_effects(body))


def _price_effect(body: dict[str, Any]) -> Effect:
    before, after = body["before"] or {}, body["after"]
    currency = after["currency"]
    words = {
        "before": money(before.get("monthly_estimate", 0), currency),
        "after": money(after["monthly_estimate"], currency),
        "hourly": hourly(after["hourly"], currency),
    }
    if Decimal(before.get("hourly", 0)) == Decimal(after["hourly"]):
        return Effect(_("The price stays at %(after)s a month (%(hourly)s).") % words, "euro")
    return Effect(_("The price goes from %(before)s to %(after)s a month (%(hourly)s).") % words, "euro")


def _quota_effects(body: dict[str, Any]) -> Iterator[Effect]:
    """Say which limits the change comes to, or would pass."""
    names = quotas.resources()
    for key, effect in body["quota"].items():
        limit, after = effect["limit"], effect["used"] + effect["adds"]
        if limit is None or effect["adds"] <= 0 or after < limit * float(NEAR):
            continue
        resource = key.removeprefix("organization.")
        words = {"name": names.get(resource, resource), "after": f"{after:g}", "limit": limit}
        text = _("%(name)s: %(after)s of %(limit)s would be in use.") % words
        yield Effect(text, "gauge", "danger" if after > limit else "warning")


def _downtime_effect(resource: Resource | None, interruption: Interruption, seconds: int | None) -> Effect:
    """Say what happens to open connections; a time only where it is known."""
    if resource is not None and not resource.running:
        return Effect(_("It is stopped, so there are no connections that drop."), "plug")
    if seconds:
        text = _("Connections drop for about %(time)s while the engine restarts.") % {"time": about(seconds)}
        return Effect(text, "timer", "warning")
    return INTERRUPTIONS[interruption]


def restart_effect(resource: Resource) -> Effect:
    """Say what a restart does to open connections."""
    return _downtime_effect(resource, *restart_of(resource, resource.plan, resource.load_spec()))


def effects_of_verb(verb: Verb, quote: Quote | None) -> tuple[Effect, ...]:
    """Say what a verb does: in its own words, and what it costs."""
    own = (Effect(verb.help, "info"),) if verb.help else ()
    if quote is None:
        return own
    if verb.slug == "stop":
        return (INTERRUPTIONS[Interruption.STOP], *own, _price_effect(quote.body))
    return (*own, _price_effect(quote.body))


def effects_of_delete(resource: Resource, children: list[Child]) -> tuple[Effect, ...]:
    """List what goes and what stays when a service is deleted."""
    return tuple(_goes(resource, children))


def _goes(resource: Resource, children: list[Child]) -> Iterator[Effect]:
    yield Effect(_("All connections are closed, and the address stops answering at once."), "unplug", "danger")
    for kind in resource.offering.children:
        count = sum(1 for child in children if child.kind == kind.slug)
        if count and kind.nature is Nature.DESIRED:
            words = {"count": count, "what": str(kind.plural if count > 1 else kind.singular).lower()}
            text = ngettext("%(count)d %(what)s is removed with it.", "%(count)d %(what)s are removed with it.", count)
            yield Effect(text % words, kind.icon)
    yield Effect(_("Compute is no longer billed; while it is in the bin, only its storage is."), "euro")


def wipe_words(resource: Resource) -> str:
    """Say what removing it at once means."""
    if keeps_backups(resource.offering, resource.cluster):
        return _("Remove everything at once, backups included. Nobody can bring it back.")
    return _("Remove everything at once. Nobody can bring it back.")


def bin_words(resource: Resource) -> str:
    """Say what keeping it in the bin means."""
    days = settings.DAYS_IN_BIN
    words = ngettext(
        "It can be brought back with its data for %(days)d day.",
        "It can be brought back with its data for %(days)d days.",
        days,
    ) % {"days": days}
    backup = _("A final backup is made first.") if keeps_backups(resource.offering, resource.cluster) else ""
    return f"{backup} {words}".strip()
