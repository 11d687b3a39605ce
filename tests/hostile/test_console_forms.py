"""Every field of every form on the console's pages × every bad text: a 422 that shows where, or the text as it was."""

import re

import pytest

from tests.hostile.asking import Left, send
from tests.hostile.pages import Form, forms
from tests.hostile.values import TEXTS
from tests.matrix.routes import CONSOLE, filled
from tests.matrix.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("lasting_proof")]
SHARES = 10
# What says which way to go, which button was pressed or what is typed to confirm is kept nowhere; ticks have one value.
NOT_KEPT = re.compile(
    r"confirm|quick|way|project|organization|acknowledge|protected|expires|families|access|email|password|tags"
    r"|^active$|:(console|mail)$"
)
# Forms of a state that nobody of this world is in: exactly these, so that one which begins to show leaves the list.
ELSEWHERE = {
    "sign-in/passkey", "sign-in/<token>", "sign-in/second-factor", "confirm-address",  # halfway in
    "password/code", "password/new",  # halfway to a new password
    "sign-in/with/<provider_id>",  # where a provider is set up
    "account/password", "account/confirm",  # of somebody who has a password
    "account/sessions/end-others",  # in one of two sessions that allauth has seen
    "account/confirm/passkey", "account/security/passkeys/<pk>/edit", "account/security/passkeys/<pk>/remove",
    "invitations/<token>",  # by a link that works
    "organizations/<organization>/close",  # where nothing runs
    "organizations/<organization>/reopen",  # of a closed one
    "catalog/<slug>/quote",  # a live price, asked for by the order form's script
}  # fmt: skip


@pytest.mark.parametrize("share", [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(1, SHARES))])
def test_a_bad_text_is_refused_at_its_field_or_kept_as_it_is(world: World, share: int) -> None:
    client, number, wrong = world.whos["owner"].browser, share, []
    assert client is not None
    for form in forms(world, client):
        for name in form.values:
            for word in list(TEXTS)[number % SHARES :: SHARES]:
                left = send(world, client, "POST", form.action, _with(form, name, TEXTS[word]), None)
                if said := _wrong(name, TEXTS[word], left):
                    wrong.append(f"{form.action} {name} {word}: {said}")
            number += 1
    assert not wrong, "\n".join(line[:300] for line in wrong[:40])


def test_the_forms_are_those_of_the_url_table(world: World) -> None:
    shown: set[str] = set()
    for who in ("owner", "developer", "operator", "nobody"):  # each has pages of a state that the others are not in
        client = world.whos[who].browser
        assert client is not None
        addresses = {form.action.partition("?")[0] for form in forms(world, client)}
        shown |= {re.sub(r"settings/\w+$", "settings/about", address) for address in addresses}
    posted = {path: filled(path, route, world.own()) for path, route in CONSOLE.items() if "POST" in route.rules}
    assert {path for path, address in posted.items() if address not in shown} == ELSEWHERE


def _with(form: Form, name: str, text: str) -> dict[str, list[str]]:
    return {**form.values, name: [_encodable(text)]}


def _encodable(text: str) -> str:
    """Browsers send no half pairs; what they send in their place is this."""
    return text.replace("\ud800", "\ufffd")


def _wrong(name: str, text: str, left: Left) -> str:
    """Say what is wrong with an answer, or nothing."""
    if left.status >= 500:
        return f"{left.status}"
    if left.status >= 400:
        if left.touched:
            return f"{left.status}, and wrote {sorted(left.touched)}"
        shown = f'{name}_error"' in left.body or "field-error" in left.body or 'class="alert' in left.body
        return "" if shown or left.status in (403, 404) else f"{left.status}, and the page does not say where"
    if not left.texts or NOT_KEPT.search(name):
        return ""
    lines = _encodable(text)
    is_kept = {lines, lines.strip(), f"number {text}"} & left.texts or not lines.strip()
    return "" if is_kept else f"{text!r} is kept nowhere"
