"""Specs: the one schema of a service's or child's settings, for form, API, OpenAPI and CLI alike.

A pydantic model whose fields say title, help, unit and bounds, and through ``spec_field`` whether they may change
later, what they add to a meter and whether others than the customer may change them.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from portal.core import texts
from portal.core.errors import FieldError, PermanentError, escape


class Spec(BaseModel):
    """Base of all specs: closed against unknown fields, immutable once validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4000)
    field_order: ClassVar[tuple[str, ...]] = ()
    # What is stored in fields that do not take it (any more): the field itself has its default then. See ``load``.
    _unsound: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def unsound(self) -> Mapping[str, Any]:
        """Stored values that today's schema refuses, by field; empty but for a row that an upgrade left behind."""
        return self._unsound


class NoSpec(Spec):
    """For children that are only a name."""


@dataclass(frozen=True, slots=True)
class SpecMeta:
    """What a spec field says beyond its type."""

    unit: str = ""
    changeable: bool = True
    grows_only: bool = False
    meter: str = ""
    autoscaled: bool = False
    advanced: bool = False
    hidden: bool = False  # set by the platform, shown to nobody
    choices: tuple[tuple[str, Any], ...] = ()
    ref: tuple[str, ...] = ()  # slugs of the offerings whose services this field may name
    lines: bool = False  # its text may have several lines
    backends: tuple[str, ...] = ()  # kinds of cluster that it can be had on; empty: all


def spec_field(
    default: Any = ...,
    *,
    title: str,
    help: str = "",  # noqa: A002
    unit: str = "",
    changeable: bool = True,
    grows_only: bool = False,
    meter: str = "",
    advanced: bool = False,
    hidden: bool = False,
    choices: tuple[tuple[str, Any], ...] = (),
    ref: tuple[str, ...] = (),
    lines: bool = False,
    backends: tuple[str, ...] = (),
    **bounds: Any,
) -> Any:
    """Declare a field. ``title`` and ``help`` are marked with ``gettext_noop`` and translated where they are shown.

    ``bounds`` are pydantic's own (ge, le, pattern, max_length …).
    """
    meta = SpecMeta(unit, changeable, grows_only, meter, False, advanced, hidden, choices, ref, lines, backends)
    extra: dict[str, Any] = {"x-unit": unit} if unit else {}
    extra |= {} if changeable else {"x-immutable": True}
    extra |= {"x-backends": list(backends)} if backends else {}
    info = Field(default, title=title, description=help, json_schema_extra=extra or None, **bounds)
    info.metadata.append(meta)
    return info


def meta_of(info: FieldInfo) -> SpecMeta:
    """Return what ``spec_field`` said, or the defaults for a plain field."""
    return next((item for item in info.metadata if isinstance(item, SpecMeta)), SpecMeta())


def visible_fields(spec: type[Spec]) -> dict[str, FieldInfo]:
    """Return the fields that customers see, in their order of display."""
    fields = {name: info for name, info in spec.model_fields.items() if not meta_of(info).hidden}
    first = {name: fields[name] for name in spec.field_order if name in fields}
    return first | fields


def inner_type(info: FieldInfo) -> Any:
    """Return a field's type without ``| None``."""
    if typing.get_origin(info.annotation) in (typing.Union, types.UnionType):
        return next(arg for arg in typing.get_args(info.annotation) if arg is not type(None))
    return info.annotation


def validate(spec: type[Spec], data: Mapping[str, Any], *, at: str = "/spec") -> tuple[Spec | None, list[FieldError]]:
    """Return the validated spec, or None and what is wrong with which field. A JSON type is taken as it is."""
    hidden = [name for name, info in spec.model_fields.items() if meta_of(info).hidden and name in data]
    if hidden:
        return None, [FieldError(f"{at}/{name}", "unknown_field", unknown(name, spec)) for name in hidden]
    if faults := _text_errors(spec, data, at):
        return None, faults
    try:
        return spec.model_validate_json(to_json(dict(data), inf_nan_mode="constants"), strict=True), []
    except ValidationError as error:
        return None, [_field_error(item, spec, at) for item in error.errors()]


def load(spec: type[Spec], stored: Mapping[str, Any]) -> Spec:
    """Read a stored spec. What does not validate any more is set aside as ``unsound``, so that its page still opens.

    Whoever acts on the spec looks there first: ``require_sound``, and ``validate`` when it is changed.
    """
    known = {name: value for name, value in stored.items() if name in spec.model_fields}
    try:
        return spec.model_validate(known)
    except ValidationError as error:
        bad = {item["loc"][0] if item["loc"] else "" for item in error.errors()}
    bad = set(spec.model_fields) if "" in bad else bad  # of a rule over several fields, any may be the wrong one
    good = {name: value for name, value in known.items() if name not in bad}
    needed = {name: None for name, info in spec.model_fields.items() if info.is_required() and name in bad}
    found = spec.model_construct(**good, **needed) if needed else spec.model_validate(good)
    found._unsound.update({str(name): known.get(str(name)) for name in bad})
    return found


def require_sound(spec: Spec, *, of: str = "") -> None:
    """Raise PermanentError where a stored spec holds what today's schema refuses: no driver is to guess from it."""
    if not spec.unsound:
        return
    errors = validate(type(spec), asked(spec))[1]
    said = " ".join(f"{error.pointer.rpartition('/')[2]}: {error.detail}" for error in errors)
    words = _("Settings%(of)s that were right once are not any more. Change them in the settings. %(said)s")
    raise PermanentError(words % {"of": f" of {of}" if of else "", "said": said})


def asked(spec: Spec) -> dict[str, Any]:
    """Return what the customer asked for, as it is stored: without what only the platform sets."""
    return {name: spec.unsound.get(name, getattr(spec, name)) for name in visible_fields(type(spec))}


def _text_errors(spec: type[Spec], data: Mapping[str, Any], at: str) -> list[FieldError]:
    """Say which text holds what can't stand on a line, in a file or on a page."""
    found = []
    for name, value in data.items():
        info = spec.model_fields.get(name)
        lines = info is not None and meta_of(info).lines
        found += texts.errors_within(f"{at}/{name}", value, lines=lines) if info else texts.errors(at, name)
    return found


def _field_error(item: Any, spec: type[Spec], at: str) -> FieldError:
    pointer = "".join(f"/{escape(str(part))}" for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return FieldError(f"{at}{pointer}", "unknown_field", unknown(str(item["loc"][-1]), spec))
    message = str(item["msg"]).removeprefix("Value error, ")
    return FieldError(f"{at}{pointer}", item["type"], message.rstrip(".") + ".")


def unknown(name: str, spec: type[Spec]) -> str:
    """Say that a field does not exist, and which do."""
    known = ", ".join(visible_fields(spec)) or _("none")
    return _("There is no field “%(name)s”. Known fields: %(known)s.") % {"name": name[:80], "known": known}


def misplaced(spec: Spec, backend: str, *, at: str = "/spec") -> list[FieldError]:
    """Say which settings were asked for that this kind of cluster does not have."""
    errors = []
    for name, info in type(spec).model_fields.items():
        backends = meta_of(info).backends
        if backends and backend not in backends and getattr(spec, name) != info.get_default(call_default_factory=True):
            words = _("This can be had in regions of this kind only: %(kinds)s. Leave it out, or choose such a region.")
            errors.append(FieldError(f"{at}/{name}", "not_supported", words % {"kinds": ", ".join(backends)}))
    return errors


def changes(before: Spec, after: Spec) -> dict[str, tuple[Any, Any]]:
    """Return the fields that differ, with both values."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in type(after).model_fields}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def refused_changes(before: Spec, after: Spec, *, at: str = "/spec") -> list[FieldError]:
    """Say which changes a field does not allow: fixed at creation, or only upward."""
    errors = []
    for name, (old, new) in changes(before, after).items():
        if name in before.unsound:
            continue  # what was wrong is mended
        meta = meta_of(type(after).model_fields[name])
        if not meta.changeable:
            errors.append(FieldError(f"{at}/{name}", "immutable", _("This is fixed when the service is ordered.")))
        elif meta.grows_only and old is not None and (new is None or new < old):
            detail = _("This can only grow: ask for %(old)s or more.") % {"old": old}
            errors.append(FieldError(f"{at}/{name}", "grows_only", detail))
    return errors
