"""Placeholders: filled once, at the last moment, and never by what a customer wrote."""

from pathlib import Path

import pytest

from portal.clusters.backends.local.render import RenderError, Values, mask, mask_begun, mask_cut, mentions_secret
from portal.core.drivers import literal

PLACES = {"dir": Path("/d"), "run": Path("/r"), "log": Path("/l"), "artifacts": Path("/a")}
VALUES = Values(
    PLACES,
    ports={"main": 20001},
    packages={"postgresql-17.10": Path("/p/pg")},
    inputs={"backup": Path("/i/b.tar")},
    secrets={"user.anna": {"password": "hunter2hunter2"}, "odd": {"key": "{{dir}}"}},
)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{{dir}}/x {{run}} {{log}} {{artifacts}}", "/d/x /r /l /a"),
        ("port={{port:main}}", "port=20001"),
        ("{{package:postgresql-17.10}}/bin", "/p/pg/bin"),
        ("{{input:backup}}", "/i/b.tar"),
        ("{{secret:user.anna.password}}", "hunter2hunter2"),
        ("{{lb}}{{lb}}dir}}", "{{dir}}"),
        ("{ plain } {{ Not one }}", "{ plain } {{ Not one }}"),
    ],
)
def test_it_fills_each_placeholder(template: str, filled: str) -> None:
    assert VALUES.text(template) == filled


def test_a_filled_in_value_is_not_filled_again() -> None:
    assert VALUES.text("{{secret:odd.key}}") == "{{dir}}"


@pytest.mark.parametrize(
    "text", ["{{port:other}}", "{{secret:user.anna.pin}}", "{{nonsense}}", "{{dir:x}}", "{{package}}"]
)
def test_it_names_what_is_not_there(text: str) -> None:
    with pytest.raises(RenderError, match="there is nothing for"):
        VALUES.text(text)


def test_it_refuses_nul() -> None:
    with pytest.raises(RenderError, match="NUL"):
        VALUES.text("a\0b")


def test_it_refuses_a_secret_in_a_command_line_only() -> None:
    with pytest.raises(RenderError, match="may not stand in a command line"):
        VALUES.argv(("psql", "{{secret:user.anna.password}}"))
    assert VALUES.env({"PGPASSWORD": "{{secret:user.anna.password}}"}) == {"PGPASSWORD": "hunter2hunter2"}
    assert mentions_secret(("x", "{{secret:a.b}}"))
    assert not mentions_secret(("x", "{{dir}}"))


@pytest.mark.parametrize("written", ["{{secret:user.anna.password}}", "{{{dir}}}", "{", "{{lb}}", "a{{b"])
def test_what_a_customer_wrote_stays_as_it_is(written: str) -> None:
    assert VALUES.text(f"{{{literal(written)}}} {{{{dir}}}}") == f"{{{written}}} /d"


def test_secrets_are_taken_out_of_output_longest_first() -> None:
    secrets = {"a": {"x": "abcd"}, "b": {"x": "abcdefgh", "y": "no"}}
    assert mask("say abcdefgh, abcd and no", secrets) == "say ***, *** and no"


@pytest.mark.parametrize("kept", range(1, 16))
def test_a_secret_that_was_cut_in_two_leaves_neither_half(kept: int) -> None:
    secret, other = "canary0123456789", "9-ends-with-what-the-first-begins-with-c"
    secrets = {"a": {"x": secret}, "b": {"x": other}}
    head, tail = f"all of {secret} and {secret[:kept]}", f"{secret[kept:]} is {secret}"
    assert mask_cut(f"{head}|cut|{tail}", secrets, "|cut|") == "all of *** and ***|cut|*** is ***"
    assert mask_begun(tail, secrets) == "*** is ***"
    assert mask_cut(f"the {other} whole|cut|of it", secrets, "|cut|") == "the *** whole|cut|of it"
