"""The forms that the console's pages show to their reader: where each is sent, and what it holds as it stands."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.matrix.asking import Asker, ask
from tests.matrix.routes import CONSOLE, filled
from tests.matrix.world import World

SENT_ALONG = frozenset({"csrfmiddlewaretoken", "next"})


@dataclass
class Form:
    """A form that posts: its address, and the value of each field."""

    action: str
    values: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.forms, self.inside, self.area = page, [], None, ""  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and (given.get("method") or "").lower() == "post":
            self.inside = Form(given.get("action") or self.page)
            self.forms.append(self.inside)
        elif self.inside is not None:
            self._field(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = None

    def _field(self, tag: str, given: dict[str, str | None]) -> None:
        name = given.get("name") or (self.area if tag == "option" else "")
        self.area = name if tag == "select" else self.area
        if not name or name in SENT_ALONG or tag not in ("input", "select", "textarea", "option", "button"):
            return
        values = self.inside.values.setdefault(name, [])
        chosen = "checked" in given if given.get("type") in ("radio", "checkbox") else "selected" in given
        is_choice = given.get("type") in ("radio", "checkbox") or tag == "option"
        if tag in ("input", "option", "button") and (chosen or not is_choice):
            values.append(given.get("value") or "")


def forms(world: World, client: Asker) -> list[Form]:
    """Return every form of every page, one of each address and set of fields."""
    found: dict[tuple[str, frozenset[str]], Form] = {}
    for path, route in CONSOLE.items():
        if "GET" in route.rules:
            page = filled(path, route, world.own())
            reader = _Reader(page)
            reader.feed(ask(client, "GET", page).body)
            for form in (form for form in reader.forms if form.action.startswith("/")):
                found[form.action, frozenset(form.values)] = form
    return list(found.values())
