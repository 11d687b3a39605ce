"""Filling a unit's placeholders, at the last moment and in one pass: a filled-in value is never looked at again."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PLACEHOLDER = re.compile(r"\{\{([a-z]+)(?::([^{}\s]+))?\}\}")
_PLACES = ("dir", "run", "log", "artifacts")


class RenderError(Exception):
    """A unit names something that is not there; the message says what."""


@dataclass(frozen=True, slots=True)
class Values:
    """All that placeholders of one instance stand for."""

    places: Mapping[str, Path]  # dir, run, log, artifacts
    ports: Mapping[str, int] = field(default_factory=dict)
    packages: Mapping[str, Path] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def text(self, template: str, *, secrets: bool = True) -> str:
        """Fill a text. ``secrets`` False refuses those, for argv, which others on the machine can read."""

        def fill(match: re.Match[str]) -> str:
            return self._value(match.group(1), match.group(2) or "", secrets)

        filled = _PLACEHOLDER.sub(fill, template)
        if "\0" in filled:
            raise RenderError("a NUL character is not allowed in files, commands and input")
        return filled

    def argv(self, templates: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.text(template, secrets=False) for template in templates)

    def env(self, templates: Mapping[str, str]) -> dict[str, str]:
        return {name: self.text(template) for name, template in templates.items()}

    def _value(self, kind: str, name: str, secrets: bool) -> str:
        if kind == "lb" and not name:
            return "{"
        if kind == "secret" and not secrets:
            raise RenderError(f"the secret {name} may not stand in a command line")
        found = self._find(kind, name)
        if found is None:
            raise RenderError(f"there is nothing for {{{{{kind}{':' if name else ''}{name}}}}}")
        if "\n" in found or "\0" in found:
            raise RenderError(f"the value of {kind} {name} holds a line break")
        return found

    def _find(self, kind: str, name: str) -> str | None:
        if kind in _PLACES and not name:
            place = self.places.get(kind)
            return None if place is None else str(place)
        if kind == "secret":
            group, _, key = name.rpartition(".")
            return self.secrets.get(group, {}).get(key)
        table: Mapping[str, Mapping[str, int] | Mapping[str, Path]]
        table = {"port": self.ports, "package": self.packages, "input": self.inputs}
        found = table.get(kind, {}).get(name)
        return None if found is None else str(found)


def placeholders(texts: Iterable[str]) -> set[str]:
    """Return the kinds of placeholders in texts: ``secret``, ``port``, ``dir`` …"""
    return {match.group(1) for text in texts for match in _PLACEHOLDER.finditer(text)}


def mentions_secret(argv: tuple[str, ...]) -> bool:
    """Say whether a command line asks for a secret, which is refused."""
    return "secret" in placeholders(argv)


def mask(text: str, secrets: Mapping[str, Mapping[str, str]]) -> str:
    """Take every secret's value out of a text; longest first, so that none hides a part of another."""
    for value in _longest_first(secrets):
        text = text.replace(value, "***")
    return text


def mask_cut(text: str, secrets: Mapping[str, Mapping[str, str]], mark: str) -> str:
    """Mask a text in which ``mark`` stands for what was cut out, also the halves of a secret that the cut has left."""
    first, *more = mask(text, secrets).split(mark)
    pieces = [first]
    for piece in more:
        pieces[-1] = _mask_unended(pieces[-1], secrets)
        pieces.append(mask_begun(piece, secrets))
    return mark.join(pieces)


def mask_begun(text: str, secrets: Mapping[str, Mapping[str, str]]) -> str:
    """Mask a text that may begin in the middle of a secret."""
    text = mask(text, secrets).lstrip("\ufffd")  # what is left of a character
    ends = (value[n:] for value in _longest_first(secrets) for n in range(1, len(value)))
    found = max((end for end in ends if text.startswith(end)), key=len, default="")
    return f"***{text.removeprefix(found)}" if found else text


def _mask_unended(text: str, secrets: Mapping[str, Mapping[str, str]]) -> str:
    """Mask the end of a text, masked otherwise, where it may end in the middle of a secret."""
    text = text.rstrip("\ufffd")
    beginnings = (value[:n] for value in _longest_first(secrets) for n in range(1, len(value)))
    found = max((beginning for beginning in beginnings if text.endswith(beginning)), key=len, default="")
    return f"{text.removesuffix(found)}***" if found else text


def _longest_first(secrets: Mapping[str, Mapping[str, str]]) -> list[str]:
    values = {value for group in secrets.values() for value in group.values() if len(value) >= 4}
    return sorted(values, key=len, reverse=True)
