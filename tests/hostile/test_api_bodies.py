"""Every field of every write × every bad value: a problem that names the field and a remedy, or the value as it was."""

import json

import pytest

from portal.core.api.reference import openapi
from tests.hostile.asking import PROBLEM, Left, send
from tests.hostile.fields import Write, pointers, with_value, writes
from tests.hostile.values import ALL, BODIES, Bad
from tests.matrix.routes import API, body_of, filled
from tests.matrix.world import World

openapi.cache_clear()
pytestmark = pytest.mark.django_db
WRITES = writes()
SHARES = 8  # of the values; CI tries another eighth with each field, --full all
# What a body names of that is looked up or priced, and then not stored under its own name.
LOOKED_UP = ("/service", "/change", "/quote", "/project", "/organization", "/email", "/backup", "/time", "/acknowledge")
NAMES_NOTHING = (400, 413, 415)  # what is no JSON at all


def ids(write: Write) -> str:
    return f"{write.verb} {write.path.removeprefix('api/v1/')}"


@pytest.mark.parametrize("write", [write for write in WRITES if pointers(write)], ids=ids)
@pytest.mark.parametrize("share", [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(1, SHARES))])
def test_a_bad_value_is_refused_by_its_name_or_kept_as_it_is(world: World, write: Write, share: int) -> None:
    right = json.dumps(body_of(write.rule, world.own())).encode()
    if send(world, world.whos["owner"].api, write.verb, _address(world, write), right).status == 404:
        pytest.skip("the matrix has no service of this kind")
    wrong = [
        f"{pointer} {bad.name}: {said}"
        for number, pointer in enumerate(pointers(write))
        for bad in ALL[(number + share) % SHARES :: SHARES]
        if (said := _wrong(world, write, pointer, bad))
    ]
    assert not wrong, "\n".join(line[:300] for line in wrong[:40])


@pytest.mark.parametrize("write", WRITES, ids=ids)
def test_a_body_that_is_none_is_refused(world: World, write: Write) -> None:
    client, path = world.whos["owner"].api, _address(world, write)
    for name, (kind, body) in BODIES.items():
        left = send(world, client, write.verb, path, body, kind)
        said = f"{name}: {left.status} {left.body[:200]}"
        if write.verb == "DELETE" or left.status == 404 or (name == "spaces" and left.status < 500):
            assert left.status < 500, said
            continue
        assert (said, left.status in (400, 409, 411, 413, 415, 422), left.touched) == (said, True, frozenset())
        assert (said, _is_problem(left)) == (said, True)


def _wrong(world: World, write: Write, pointer: str, bad: Bad) -> str:
    """Say what is wrong with how a bad value was taken, or nothing."""
    body = with_value(write, world.own(), pointer, bad.wire)
    left = send(world, world.whos["owner"].api, write.verb, _address(world, write), body)
    if left.status < 400:
        return _not_kept(pointer, bad, left)
    said = f"{left.status} {left.body[:300]}"
    if left.status >= 500 or left.touched or not _is_problem(left):
        return f"{said} {sorted(left.touched)}"
    if left.status in NAMES_NOTHING:
        return ""
    named = any(_is_about(error["pointer"], pointer) for error in left.problem["errors"])
    return "" if named or left.status in (403, 409) else f"names another field: {said}"


def _not_kept(pointer: str, bad: Bad, left: Left) -> str:
    if bad.text is None or "resources_quote" in left.written or pointer.startswith(LOOKED_UP):
        return ""
    if not (bad.text or left.texts):
        return ""  # it was empty before, and nothing was written
    kept = {bad.text, bad.text.strip()} if pointer == "/name" else {bad.text}  # names of people's are trimmed
    return "" if kept & left.texts else f"{left.status}, and {bad.text!r} is kept nowhere"


def _is_problem(left: Left) -> bool:
    problem = left.problem
    sentences = [problem["detail"], *(error["detail"] for error in problem["errors"])]
    return left.headers["Content-Type"] == PROBLEM and all(len(text) > 10 for text in sentences)


def _is_about(named: str, pointer: str) -> bool:
    """Whether an error's pointer is to this field, to one inside of it, or to what it is in."""
    return bool(named) and (named == pointer or named.startswith(f"{pointer}/") or pointer.startswith(f"{named}/"))


def _address(world: World, write: Write) -> str:
    return filled(write.path, API[write.path], world.own())
