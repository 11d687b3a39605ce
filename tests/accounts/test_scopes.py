"""What scopes grant, and which of two is the stronger."""

import pytest

from portal.accounts.scopes import grant_of, is_scope, is_within


@pytest.mark.parametrize(
    ("scopes", "reads", "writes", "projects", "families"),
    [
        (None, True, True, None, None),
        ([], False, False, None, None),
        (["read"], True, False, None, None),
        (["write"], True, True, None, None),
        (["read", "write"], True, True, None, None),
        (["project:a"], True, True, {"a"}, None),
        (["project:a", "project:b", "read"], True, False, {"a", "b"}, None),
        (["family:databases"], True, True, None, {"databases"}),
        (["read", "project:a", "family:databases"], True, False, {"a"}, {"databases"}),
        (["admin"], False, False, None, None),
        (["project:", "project:A"], False, False, None, None),
    ],
)
def test_scopes_grant(scopes: object, reads: bool, writes: bool, projects: object, families: object) -> None:
    grant = grant_of(scopes)  # type: ignore[arg-type]
    assert (grant.reads, grant.writes, grant.projects, grant.families) == (reads, writes, projects, families)


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        ([], None, True),
        (["write"], None, True),
        ([], ["write"], False),
        (["write"], ["write"], True),
        (["read"], ["write"], True),
        (["write"], ["read"], False),
        (["project:a"], ["write"], True),
        (["project:a"], ["read"], False),
        (["read", "project:a"], ["read"], True),
        (["write"], ["project:a"], False),
        (["project:b"], ["project:a"], False),
        (["project:a"], ["project:a", "project:b"], True),
        (["project:a", "project:b"], ["project:a"], False),
        (["family:iot"], ["family:databases"], False),
        (["project:a", "family:iot"], ["project:a"], True),
        (["project:a"], ["project:a", "family:iot"], False),
    ],
)
def test_a_token_is_within_another(inner: list[str], outer: list[str] | None, within: bool) -> None:
    assert is_within(inner, outer) is within


@pytest.mark.parametrize("text", ["read", "write", "project:acme-prod", "family:databases"])
def test_it_is_a_scope(text: str) -> None:
    assert is_scope(text)


@pytest.mark.parametrize("text", ["", "READ", "admin", "project:", "project:-a", "project:a b", "org:a", "read\n"])
def test_it_is_no_scope(text: str) -> None:
    assert not is_scope(text)
