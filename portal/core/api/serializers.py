"""Bodies of requests: closed serializers whose fields take a JSON type as it is, without guessing another from it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from portal.core.errors import FieldError, Problem, invalid


class Strict(serializers.Serializer[Any]):
    """Base of all bodies: a field that it does not know is an error, with its pointer, never ignored."""

    def to_internal_value(self, data: Any) -> Any:
        """Return what the body says. Raises ValidationError with unknown and wrong fields together."""
        unknown = self._unknown(data) if isinstance(data, Mapping) else {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            wrong = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
            raise serializers.ValidationError({**wrong, **unknown}) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return value

    def _unknown(self, data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        known = [name for name, field in self.fields.items() if not field.read_only]
        say = _("There is no field “%(name)s”. Known fields: %(known)s.")
        return {
            name: [ErrorDetail(say % {"name": name[:80], "known": ", ".join(known) or _("none")}, "unknown_field")]
            for name in data
            if name not in known
        }


class NoBody(Strict):
    """For verbs that need nothing said; an empty object or no body at all."""


class Text(serializers.CharField):
    """A JSON string, taken as it is written: no trimming, no number made into text."""

    default_error_messages = {"invalid": gettext_lazy("Write a text: a JSON string.")}

    def __init__(self, *, max_length: int = 4000, allow_blank: bool = True, **options: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=max_length, allow_blank=allow_blank, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the text; anything but a JSON string is refused."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Word(Text):
    """A JSON string that is not empty."""

    def __init__(self, *, max_length: int = 63, **options: Any) -> None:
        super().__init__(max_length=max_length, allow_blank=False, **options)


class Flag(serializers.BooleanField):
    """``true`` or ``false``, not a word or number that might mean it."""

    default_error_messages = {"invalid": gettext_lazy("Write true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        """Return the flag; anything but a JSON boolean is refused."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    """A JSON integer."""

    default_error_messages = {"invalid": gettext_lazy("Write a whole number.")}

    def to_internal_value(self, data: Any) -> int:
        """Return the number; text, booleans and fractions are refused."""
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class Choice(serializers.ChoiceField):
    """One of a few words; a refusal names them."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the word; anything but one of the choices is refused."""
        if not isinstance(data, str) or data not in self.choices:
            say = _("Choose one of: %(known)s.") % {"known": ", ".join(map(str, self.choices))}
            raise serializers.ValidationError(say, "invalid_choice")
        return data


class Table(serializers.DictField):
    """A JSON object whose content is checked elsewhere (a spec by its offering's schema)."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object as it is."""
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return data


class SpecTable(Table):
    """The settings of a service; the document names each offering's schema."""


def read(request: Request, body: type[Strict]) -> dict[str, Any]:
    """Return the validated body. Raises Problem or ValidationError; call it after access has been checked."""
    _require_length(request)
    serializer = body(data=_object(request.data))
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _object(data: Any) -> dict[str, Any]:
    """Return the body as a plain object; no body at all counts as an empty one."""
    if isinstance(data, dict):
        return data
    raise invalid(FieldError("", "not_an_object", _("The body has to be one JSON object.")))


def _require_length(request: Request) -> None:
    """Refuse a chunked body: without its length it would be taken for an empty one, and ignored."""
    if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
        raise Problem("length_required", HTTPStatus.LENGTH_REQUIRED, _("Send the body with a Content-Length."))
