"""The tags and filters that pages are put together from; built in, so that no template loads them.

Each draws one file of ``templates/components``; ``/styleguide/`` shows them all. Keyword arguments that a tag does not
name become attributes, with ``_`` for ``-``: ``{% button label hx_post=url %}``. ``True`` writes the bare attribute,
``False``, ``None`` and ``""`` leave it out.
"""

# ruff: noqa: A002 - arguments are named as the HTML attributes that they become

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portal.core.counting import MOST
from portal.core.templatetags import data, filters, formats, icons, states

KEPT = 1000  # different marks that a process keeps
register = template.Library()
register.filters.update(filters.register.filters)
register.tags.update(data.register.tags)


def _draw(component: str, context: Mapping[str, Any]) -> SafeString:
    return render_to_string(f"components/{component}.html", dict(context))


def _stripped(content: str, characters: str | None = None) -> SafeString:
    """Strip what a block tag's content begins and ends with; it is rendered, thus escaped, already."""
    return mark_safe(content.strip(characters))  # noqa: S308


def _attributes(attrs: Mapping[str, Any]) -> SafeString:
    pairs = [
        (name.strip("_").replace("_", "-"), value) for name, value in attrs.items() if value not in (None, False, "")
    ]
    return format_html_join("", "{}", ((_attribute(name, value),) for name, value in pairs))


def _attribute(name: str, value: Any) -> SafeString:
    return format_html(" {}", name) if value is True else format_html(' {}="{}"', name, value)


@lru_cache(KEPT, typed=True)  # a text that is safe already is another than the same text to be escaped
def _mark(component: str, **context: Any) -> SafeString:
    """Draw an atom that lists draw by the hundred, each different one once: the context is all that it depends on."""
    return _draw(component, context)


@register.simple_tag
def overlays(signed_in: bool) -> SafeString:
    """Draw what app.js fills or opens on every page; a process draws it once for each language."""
    return _overlays(bool(signed_in), get_language())


@lru_cache(KEPT)
def _overlays(signed_in: bool, _language: str | None) -> SafeString:
    return render_to_string("partials/overlays.html", {"signed_in": signed_in})


# ---- icons and words -------------------------------------------------------------------------------------------------
@register.simple_tag
def icon(name: str, title: str = "", css: str = "") -> SafeString:
    """Draw a vendored icon; with a title it is read out."""
    return icons.icon(name, title=str(title), css=css)


@register.simple_tag
def offering_icon(offering: Any, size: str = "") -> SafeString:
    """Draw a product's tile: its icon or initials in its own hue. Takes an Offering or a slug; size small or large."""
    slug = offering if isinstance(offering, str) else str(formats.read(offering, "slug"))
    name = "" if isinstance(offering, str) else str(formats.read(offering, "icon"))
    shown = name if name not in ("", "box", "database") and icons.exists(name) else ""
    return _mark("tile", icon=shown, initials=icons.initials(slug), hue=icons.hue(slug), size=size)


@register.simple_tag
def avatar(name: str) -> SafeString:
    """Draw a person's or organization's initials; decoration beside the name."""
    return _mark("avatar", initials=icons.initials(name), hue=icons.hue(name))


@register.simple_tag
def badge(label: str, tone: str = "neutral", icon: str = "") -> SafeString:
    """Draw a small label: plan, version, role."""
    return _mark("badge", label=str(label), tone=tone, icon=icon)


@register.simple_tag
def state(value: str, plain: bool = False, operation: bool = False) -> SafeString:
    """Draw a state (service, operation, backup, offering) as color, icon and word."""
    shown = states.word(str(value), operation=operation)
    css = "spin" if shown.moving else ""
    return _mark("badge", label=str(shown.label), tone=shown.tone, icon=shown.icon, css=css, plain=plain)


@register.simple_tag
def health(value: str) -> SafeString:
    """Draw a health word beside a state."""
    return state(value, plain=True)


@register.inclusion_tag("components/kbd.html")
def kbd(keys: str) -> dict[str, Any]:
    """Draw keys, separated by blanks."""
    return {"keys": keys.split()}


# ---- things to press -------------------------------------------------------------------------------------------------
@register.simple_tag
def button(
    label: str,
    href: str = "",
    variant: str = "",
    size: str = "",
    icon: str = "",
    icon_only: bool = False,
    modal: str = "",
    disabled: bool = False,
    busy: bool = False,
    **attrs: Any,
) -> SafeString:
    """Draw a button, or a link that looks like one.

    ``variant``: primary, quiet, danger, "danger primary". ``modal`` opens the dialog of that id; together with ``href``
    that address is where the button leads without JavaScript.
    """
    attrs.setdefault("type", "" if href else "button" if modal else "submit")
    if modal and href:
        attrs["data_modal"] = modal
    elif modal:
        attrs |= {"command": "show-modal", "commandfor": modal}
    classes = " ".join(filter(None, ["button", variant, size, "square" if icon_only else "", attrs.pop("css", "")]))
    context = {"label": label, "href": href, "classes": classes, "icon": icon, "icon_only": icon_only}
    return _draw("button", context | {"disabled": disabled, "busy": busy, "attributes": _attributes(attrs)})


@register.simple_block_tag(end_name="endmenu")
def menu(
    content: str, id: str, label: str, icon: str = "ellipsis", variant: str = "quiet", size: str = "small"
) -> SafeString:
    """Draw a button with an icon that opens a menu of links and buttons. ``id`` is unique in the page."""
    return _draw("menu", {"content": content, "id": id, "label": label, "icon": icon, "variant": variant, "size": size})


@register.simple_tag
def menu_link(deed: Any) -> SafeString:
    """Draw a line of a menu: a ``label``, ``url`` and ``icon``, perhaps ``is_danger``, ``in_dialog``.

    Tables draw them by the hundred, alike but for the address.
    """
    label, icon = str(deed.label), deed.icon
    drawn = _mark("menu_link", label=label, icon=icon, is_danger=deed.is_danger, in_dialog=deed.in_dialog)
    return mark_safe(drawn.replace("ADDRESS", escape(deed.url)))  # noqa: S308 - drawn is markup, the address escaped


@register.simple_block_tag(end_name="endmodal")
def modal(content: str, id: str, title: str, wide: bool = False, open: bool = False) -> SafeString:
    """Draw a dialog with a heading and a close button; a ``{% button modal=id %}`` opens it."""
    return _draw("modal", {"content": content, "id": id, "title": title, "wide": wide, "open": open})


@register.inclusion_tag("components/confirm_name.html")
def confirm_name(name: str, id: str = "confirm", error: str = "") -> dict[str, Any]:
    """Draw the field in which a thing's name is typed; the form's submit button waits for it. Posts ``confirm``."""
    return {"name": name, "id": id, "error": error}


@register.inclusion_tag("components/copy.html")
def copy(value: str, label: str = "", mono: bool = True) -> dict[str, Any]:
    """Draw a value with a button that copies it; ``label`` says what it is."""
    return {"value": value, "label": label, "mono": mono}


@register.inclusion_tag("components/secret.html")
def secret(id: str, url: str, label: str = "", value: str = "") -> dict[str, Any]:
    """Draw a secret: masked, with a button that posts to ``url``, whose answer is this tag again with the value."""
    return {"id": id, "url": url, "label": label, "value": value, "mask": "•" * 16}


# ---- boxes -----------------------------------------------------------------------------------------------------------
@register.simple_block_tag(end_name="endcard")
def card(
    content: str,
    title: str = "",
    help: str = "",
    actions: str = "",
    footer: str = "",
    flush: bool = False,
    css: str = "",
    id: str = "",
) -> SafeString:
    """Draw a card; ``flush`` for content that brings its own padding (tables, settings)."""
    context = {"content": content, "title": title, "help": help, "actions": actions, "footer": footer}
    return _draw("card", context | {"flush": flush, "css": css, "id": id})


@register.simple_block_tag(end_name="endalert")
def alert(content: str, tone: str = "info", title: str = "", icon: str = "", css: str = "") -> SafeString:
    """Draw a notice in the page: what is the case, and what to do about it."""
    shown = icon or states.TONE_ICONS.get(tone, "info")
    return _draw("alert", {"content": content, "tone": tone, "title": title, "icon": shown, "css": css})


@register.simple_block_tag(end_name="endempty")
def empty(content: str, title: str, text: str = "", icon: str = "box") -> SafeString:
    """Draw an empty state: icon, sentence, and between the tags the action."""
    return _draw("empty", {"content": _stripped(content), "title": title, "text": text, "icon": icon})


@register.simple_block_tag(end_name="enddanger")
def danger(content: str, title: str = "") -> SafeString:
    """Draw the danger zone; between the tags stand ``.setting`` rows."""
    return _draw("danger", {"content": content, "title": title or _("Danger zone")})


@register.simple_block_tag(end_name="endcode")
def code(content: str, label: str = "") -> SafeString:
    """Draw a code block with a copy button. What stands between the tags is shown as written."""
    return _draw("code", {"content": _stripped(content, "\n"), "label": label})


@register.inclusion_tag("components/snippets.html")
def snippets(id: str, items: Sequence[Any], label: str = "") -> dict[str, Any]:
    """Draw code in up to six languages behind a switch; items have ``title`` and ``code``."""
    return {"id": id, "items": items[:6], "label": label}


# ---- navigation ------------------------------------------------------------------------------------------------------
@register.inclusion_tag("components/tabs.html")
def tabs(items: Iterable[Any], label: str = "") -> dict[str, Any]:
    """Draw tabs that are links; items have ``title``, ``url``, ``active``, and may have ``count``."""
    return {"items": items, "label": label}


@register.inclusion_tag("components/segmented.html")
def segmented(items: Iterable[Any], label: str) -> dict[str, Any]:
    """Draw a short switch of links (ranges of time, views); items as for tabs."""
    return {"items": items, "label": label}


@register.inclusion_tag("components/breadcrumbs.html")
def breadcrumbs(*parts: str) -> dict[str, Any]:
    """Draw the way up: title, address, title, address …"""
    return {"items": list(zip(parts[::2], parts[1::2], strict=False))}


@register.inclusion_tag("components/pagination.html", takes_context=True)
def pagination(context: Context, page: Any) -> dict[str, Any]:
    """Draw the way to the next page of a cursor list; takes ``items``, ``next_cursor`` and ``total_count``.

    A ``total_count`` of None says that there are more than are counted (``core.counting``).
    """
    query = context["request"].GET.copy()
    later = "cursor" in query
    query.pop("cursor", None)
    first = query.urlencode()
    query["cursor"] = str(formats.read(page, "next_cursor"))
    shown = len(formats.read(page, "items", ()) if not isinstance(page, Mapping) else page.get("items", ()))
    found = {"shown": shown, "total": formats.read(page, "total_count", None), "later": later, "first": first}
    return found | {
        "most": number_format(MOST, force_grouping=True),
        "next": query.urlencode() if query["cursor"] else "",
    }


@register.inclusion_tag("components/th.html", takes_context=True)
def th(context: Context, field: str, label: str, css: str = "", default: str = "") -> dict[str, Any]:
    """Draw a heading that sorts by ``?sort=field.asc``; ``default`` is the order where the address names none."""
    query = context["request"].GET.copy()
    name, _dot, order = (query.get("sort") or default).partition(".")
    current = (order or "asc") if name == field else ""
    query["sort"] = f"{field}.{'desc' if current == 'asc' else 'asc'}"
    query.pop("cursor", None)
    return {"label": label, "css": css, "current": current, "query": query.urlencode()}


@register.inclusion_tag("components/skeleton.html")
def skeleton(lines: int = 3) -> dict[str, Any]:
    """Draw grey lines where content is on its way."""
    return {"lines": range(lines)}


@register.inclusion_tag("components/plan_card.html")
def plan_card(
    plan: Any,
    price: Any = None,
    name: str = "plan",
    checked: bool = False,
    unavailable: str = "",
    keeps_backups: bool = True,
) -> dict[str, Any]:
    """Draw a Plan as a radio card; ``unavailable`` says why it can't be chosen, a region may keep no backups."""
    context = {"plan": plan, "price": price, "name": name, "checked": checked, "unavailable": unavailable}
    context["keeps_backups"] = keeps_backups
    return context | {
        "currency": str(formats.read(price, "currency", "EUR")),
        "free": price is not None and not formats.read(price, "hourly", 0),
    }


# ---- forms -----------------------------------------------------------------------------------------------------------
@register.inclusion_tag("components/field.html")
def field(
    bound: BoundField,
    unit: str = "",
    width: str = "",
    icon: str = "",
    optional: bool = True,
    switch: bool = False,
    **attrs: Any,
) -> dict[str, Any]:
    """Draw a form's field with label, help and errors; ``attrs`` go to the input (``hx_get=url``, ``autofocus=True``).

    ``width``: short or wide. ``switch`` draws a checkbox as one. ``unit`` may also stand on the form field as ``unit``.
    """
    widget = bound.field.widget
    kind = "check" if isinstance(widget, CheckboxInput) else "input"
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        kind = "choices"
    extra = {name.strip("_").replace("_", "-"): value for name, value in attrs.items() if value not in (None, "")}
    described = [f"{bound.auto_id}_helptext"] if bound.help_text else []
    described += [f"{bound.auto_id}_error"] if bound.errors else []
    if described and kind != "choices":
        extra["aria-describedby"] = " ".join(described)
    if bound.form.is_bound and bound.form.errors and attrs.get("autofocus", True):
        extra["autofocus"] = bool(bound.errors)  # the browser goes to the first of those that are wrong
    context = {"field": bound, "kind": kind, "width": width, "icon": icon, "optional": optional, "switch": switch}
    return context | {
        "unit": unit or getattr(bound.field, "unit", ""),
        "input": _input(bound, kind, extra),
        "described": " ".join(described),
    }


def _input(bound: BoundField, kind: str, attrs: dict[str, Any]) -> SafeString | str:
    return "" if kind == "choices" else bound.as_widget(attrs=attrs)


# ---- times -----------------------------------------------------------------------------------------------------------
@register.simple_tag
def ago(value: formats.Moment) -> SafeString | str:
    """Draw a time as ``3 minutes ago``, exact on hover."""
    when = formats.moment(value)
    if when is None:
        return "–"
    exact = f"{when.astimezone(timezone.get_current_timezone()):%Y-%m-%d %H:%M:%S %Z}"
    text = formats.ago(when, timezone.now())
    return format_html('<time datetime="{}" title="{}" data-relative>{}</time>', when.isoformat(), exact, text)


@register.simple_tag
def elapsed(since: formats.Moment) -> SafeString | str:
    """Draw the time since then; app.js lets it tick."""
    when = formats.moment(since)
    if when is None:
        return ""
    text = formats.duration(timezone.now() - when)
    return format_html('<time data-elapsed-since="{}">{}</time>', when.isoformat(), text)
