"""Filling a unit's placeholders, at the last moment and in one pass: a filled-in value is never looked at again."""

import re
from collections.abc import Mapping
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
            return str(self.places[kind])
        if kind == "secret":
            group, _, key = name.rpartition(".")
            return self.secrets.get(group, {}).get(key)
        table: Mapping[str, Mapping[str, int] | Mapping[str, Path]]
        table = {"port": self.ports, "package": self.packages, "input": self.inputs}
        found = table.get(kind, {}).get(name)
        return None if found is None else str(found)


def mentions_secret(argv: tuple[str, ...]) -> bool:
    """Say whether a command line asks for a secret, which is refused."""
    return any(match.group(1) == "secret" for text in argv for match in _PLACEHOLDER.finditer(text))


def mask(text: str, secrets: Mapping[str, Mapping[str, str]]) -> str:
    """Take every secret's value out of a text; longest first, so that none hides a part of another."""
    values = sorted({value for group in secrets.values() for value in group.values() if len(value) >= 4}, key=len)
    for value in reversed(values):
        text = text.replace(value, "***")
    return text
