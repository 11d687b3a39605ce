"""The design system: tags say what they should, escape what they are given, and keep contrast and the strict CSP."""

import datetime
import itertools
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.conf import settings
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from portal.core.templatetags import formats, graphs, icons, states, styleguide, ui

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
NOW = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.UTC)


def draw(source: str, address: str = "/", **context: object) -> str:
    return Template(source).render(Context({"request": RequestFactory().get(address), **context}))


def squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text)


# ---- words and icons -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(states.WORDS))
def test_every_state_has_color_icon_and_word(name):
    word = states.word(name)
    html = draw("{% state name %}", name=name)
    assert str(word.label) in html
    assert f"tone-{word.tone}" in html
    assert "<svg" in html
    assert icons.exists(word.icon)


def test_a_running_operation_is_under_way_and_a_running_service_is_well():
    assert "tone-success" in draw("{% state 'running' %}")
    assert "tone-info" in draw("{% state 'running' operation=True %}")


def test_a_state_nobody_knows_is_shown_as_it_is():
    assert "Half done" in draw("{% state 'half_done' %}")


def test_every_icon_that_a_template_names_is_there():
    named = re.compile(r"""\{%\s*icon\s+"([^"]+)"|icon="([a-z0-9-]+)\"""")
    used = {name for path in TEMPLATES for pair in named.findall(path.read_text()) for name in pair if name}
    assert used
    assert {name for name in used if not icons.exists(name)} == set()


def test_an_icon_is_hidden_from_screen_readers_unless_it_has_a_title():
    assert 'aria-hidden="true"' in icons.icon("database")
    titled = icons.icon("lock", title='Locked "up"')
    assert 'role="img"' in titled
    assert "Locked &quot;up&quot;" in titled
    assert "aria-hidden" not in titled


@pytest.mark.parametrize("name", ["../base", "no-such-icon", "", "a/b"])
def test_an_icon_that_is_not_there_is_a_box(name):
    assert icons.icon(name) == icons.icon("box")


# ---- safety ----------------------------------------------------------------------------------------------------------
EVIL = "<script>alert('x')</script>\"'"
SOURCES = [
    "{% badge evil %}",
    "{% state evil %}",
    "{% button evil title=evil %}",
    "{% copy evil evil %}",
    "{% secret 'x' '/x' evil value=evil %}",
    "{% card evil help=evil footer=evil %}{{ evil }}{% endcard %}",
    "{% alert 'info' title=evil %}{{ evil }}{% endalert %}",
    "{% empty evil evil %}{{ evil }}{% endempty %}",
    "{% code label=evil %}{{ evil }}{% endcode %}",
    "{% modal 'x' evil %}{{ evil }}{% endmodal %}",
    "{% menu 'x' evil %}{{ evil }}{% endmenu %}",
    "{% confirm_name evil error=evil %}",
    "{% breadcrumbs evil evil %}",
    "{% offering_icon evil %}{% avatar evil %}",
    "{% steps steps %}{% timeline events %}{% log lines %}{% tabs tabs evil %}",
    "{% stat evil evil unit=evil hint=evil %}{% icon 'x' evil %}",
    "{% th 'name' evil %}",
]


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_tag_is_given_is_escaped(source):
    context = {
        "evil": EVIL,
        "steps": [{"name": EVIL, "state": EVIL, "message": EVIL}],
        "events": [{"message": EVIL, "at": NOW, "detail": EVIL}],
        "lines": [EVIL, {"text": EVIL, "level": EVIL}],
        "tabs": [{"title": EVIL, "url": EVIL, "count": EVIL}],
    }
    html = draw(source, address="/?sort=%3Cscript%3E.asc&q=%3Cscript%3E", **context)
    assert "<script" not in html
    assert "alert('x')" not in html


def test_code_between_block_tags_is_escaped_once():
    assert "a &amp;&amp; b" in draw("{% code %}\n{{ text }}\n{% endcode %}", text="a && b")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT / "templates").as_posix())
def test_templates_keep_the_strict_policy(path):
    text = path.read_text()
    assert not re.search(r"\sstyle=", text), "inline style"
    assert not re.search(r"\son[a-z]+=", text), "inline handler"
    assert "<style" not in text
    assert not re.search(r'<script(?![^>]*\b(src=|type="application/json"))', text), "inline script"
    assert "hx-on" not in text


# ---- buttons, links, forms -------------------------------------------------------------------------------------------
def test_a_button_submits_and_a_link_leads():
    assert '<button class="button primary" type="submit">' in draw("{% button 'Save' variant='primary' %}")
    link = draw("{% button 'Open' href='/x' hx_get='/y' hx_boost=False download=True %}")
    assert link.strip() == '<a class="button" href="/x" hx-get="/y" download>Open</a>'


def test_a_button_opens_a_modal_with_and_without_an_address():
    assert 'command="show-modal" commandfor="m"' in draw("{% button 'Delete' modal='m' %}")
    assert 'href="/delete" data-modal="m"' in draw("{% button 'Delete' modal='m' href='/delete' %}")


def test_a_button_without_words_has_a_name():
    assert 'aria-label="Settings"' in draw("{% button 'Settings' icon='settings' icon_only=True %}")


def test_a_field_ties_help_and_error_to_its_input():
    form = styleguide.SampleForm({"name": "Orders DB"})
    html = draw("{% field form.name %}", form=form)
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert "aria-invalid" not in draw("{% field form.name %}", form=styleguide.SampleForm())


def test_a_group_of_radios_is_a_fieldset_with_its_legend():
    html = draw("{% field form.policy %}", form=styleguide.SampleForm())
    assert "<fieldset" in html
    assert "<legend" in html
    assert html.count('type="radio"') == 2


def test_a_field_shows_its_unit_and_passes_attributes_on():
    class Form(forms.Form):
        disk = forms.IntegerField()

    form = Form()
    form.fields["disk"].unit = "GiB"
    html = draw("{% field form.disk hx_get='/price' %}", form=form)
    assert ">GiB<" in html
    assert 'hx-get="/price"' in html


def test_the_browser_goes_to_what_is_wrong():
    class Form(forms.Form):
        name = forms.CharField()
        note = forms.CharField()

    wrong = Form({"name": "orders-db"})
    assert "autofocus" not in draw("{% field form.name autofocus=True %}", form=wrong)
    assert "autofocus" in draw("{% field form.note %}", form=wrong)
    assert "autofocus" not in draw("{% field form.note autofocus=False %}", form=wrong)
    assert "autofocus" not in draw("{% field form.note %}", form=Form())


def test_a_hidden_field_is_only_its_input():
    class Form(forms.Form):
        key = forms.CharField(widget=forms.HiddenInput)

    html = draw("{% field form.key %}", form=Form())
    assert "<label" not in html
    assert 'type="hidden"' in html


def test_a_secret_is_not_in_the_page_until_it_is_asked_for():
    hidden = draw("{% secret 'pw' '/reveal' 'password' %}")
    assert 'hx-post="/reveal"' in hidden
    assert "data-hide-after" not in hidden
    assert 'data-hide-after="30"' in draw("{% secret 'pw' '/reveal' 'password' value='hunter2' %}")


# ---- lists -----------------------------------------------------------------------------------------------------------
def test_a_heading_turns_the_order_and_drops_the_cursor():
    html = draw("{% th 'name' 'Name' %}", address="/?sort=name.asc&cursor=abc&state=running")
    assert 'aria-sort="ascending"' in html
    assert "sort=name.desc" in html
    assert "state=running" in html
    assert "cursor" not in html
    assert "aria-sort" not in draw("{% th 'state' 'State' %}", address="/?sort=name.asc")


def test_pages_keep_the_filters():
    page = {"items": [1], "next_cursor": "n&x", "total_count": 3}
    html = draw("{% pagination page %}", address="/?state=running", page=page)
    assert "?state=running&amp;cursor=n%26x" in html
    assert "First page" not in html
    assert "3 in total" in html
    assert draw("{% pagination page %}", page={"items": [], "next_cursor": None, "total_count": 0}).strip() == ""
    many = draw("{% pagination page %}", page={"items": [1], "next_cursor": "n", "total_count": None})
    assert "More than 1,000 in total" in many


def test_steps_show_what_runs_since_when_and_what_took_how_long():
    rows = [
        {
            "name": "accepted",
            "state": "done",
            "started_at": "2026-11-25T12:00:00+00:00",
            "finished_at": "2026-11-25T12:01:05Z",
        },
        {"name": "start_primary", "state": "running", "started_at": NOW},
        {"name": "check", "state": "waiting"},
    ]
    html = squeeze(draw("{% steps rows %}", rows=rows))
    assert "1 min 05 s" in html
    assert 'data-elapsed-since="2026-11-25T12:00:00+00:00"' in html
    assert "Start primary" in html
    assert html.count('aria-current="step"') == 1


def test_a_chart_has_its_numbers_in_a_table_and_gaps_in_its_line():
    times = [NOW + datetime.timedelta(minutes=n) for n in range(5)]
    series = [{"name": "CPU", "values": [10, 20, None, 30, Decimal("40.5")]}]
    html = squeeze(draw("{% chart 'c' 'CPU' times series 'percent' %}", times=times, series=series))
    assert html.count("<polyline") == 2
    assert html.count("<tr>") == 6
    assert '<data value="40.5">40.5 %</data>' in html
    assert '<data value="">–</data>' in html


def test_a_flat_or_empty_line_can_be_drawn():
    assert graphs.pieces([0, 0, 0], 80, 24, *graphs.bounds([0, 0, 0])) == ["0.0,23.0 40.0,23.0 80.0,23.0"]
    assert "<svg" in draw("{% sparkline values %}", values=[])


# ---- numbers and times -----------------------------------------------------------------------------------------------
def test_a_price_says_the_hour_and_the_month():
    price = SimpleNamespace(hourly=Decimal("0.0213"), monthly_estimate=Decimal("15.549"), currency="EUR")
    html = draw("{% price price %}", price=price)
    assert "0.0213 EUR/h" in html
    assert "about 15.55 EUR/month" in html
    assert "Free" in draw("{% price price %}", price={"hourly": "0", "monthly_estimate": "0"})


def test_a_very_small_price_keeps_its_digits():
    assert formats.hourly(Decimal("0.000123")) == "0.000123 EUR/h"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 8192|mib }}", "8 GiB"),
        ("{{ 512|mib }}", "512 MiB"),
        ("{{ 1536|mib }}", "1.5 GiB"),
        ("{{ 2048|gib }}", "2 TiB"),
        ("{{ 100|gib }}", "100 GiB"),
        ("{{ 0|filesize }}", "0 B"),
        ("{{ 24536064|filesize }}", "23.4 MiB"),
        ("{{ 45|duration }}", "45 s"),
        ("{{ 3725|duration }}", "1 h 02 min"),
        ("{{ 356400|duration }}", "4 d 3 h"),
        ("{{ 5|about }}", "5 s"),
        ("{{ 90|about }}", "90 s"),
        ("{{ 120|about }}", "2 min"),
        ("{{ 170|about }}", "3 min"),
        ("{{ 7500|about }}", "2 h 05 min"),
        ("{{ 1234.5|money }}", "1,234.50 EUR"),
        ("{{ '4.00'|number }}", "4"),
        ("{{ 100|number }}", "100"),
        ("{{ '0.25'|number }}", "0.25"),
        ("{{ 12.346|metric:'percent' }}", "12.35 %"),
    ],
)
def test_numbers_are_written_for_people(source, text):
    assert draw(source).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        (datetime.timedelta(seconds=5), "just now"),
        (datetime.timedelta(minutes=1), "1 minute ago"),
        (datetime.timedelta(minutes=30), "30 minutes ago"),
        (datetime.timedelta(hours=-2), "in 2 hours"),
        (datetime.timedelta(days=3), "3 days ago"),
        (datetime.timedelta(days=60), "2 months ago"),
        (datetime.timedelta(days=800), "2 years ago"),
    ],
)
def test_a_time_says_how_far_it_is(delta, text):
    assert formats.ago(NOW - delta, NOW) == text


def test_a_time_that_is_not_there_is_a_dash():
    assert ui.ago(None) == "–"
    assert ui.elapsed("nonsense") == ""
    assert "data-relative" in ui.ago(timezone.now().isoformat())


# ---- contrast --------------------------------------------------------------------------------------------------------
def tokens() -> dict[str, tuple[str, str]]:
    css = (ROOT / "static/css/tokens.css").read_text()
    pairs = re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]+), (#[0-9a-f]+)\);", css)
    return {name: (light, dark) for name, light, dark in pairs} | {"on-accent": ("#fff", "#fff")}


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(digit * 2 for digit in color[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


GROUNDS = ("canvas", "frame", "surface", "raised", "sunken", "hover")
WORDS = [
    *itertools.product(("ink", "ink-muted", "ink-faint", "accent-ink"), GROUNDS),
    *((f"{tone}-ink", f"{tone}-soft") for tone in states.TONE_ICONS),
    *itertools.product([f"{tone}-ink" for tone in states.TONE_ICONS], ("surface", "canvas")),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-accent", "danger"),
    ("on-accent", "danger-hover"),
]
MARKS = [
    *itertools.product(("line-control", "focus"), ("canvas", "surface", "raised")),
    *((f"{tone}-mark", "surface") for tone in states.TONE_ICONS),
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"), [*((a, b, 4.5) for a, b in WORDS), *((a, b, 3.0) for a, b in MARKS)]
)
def test_colors_keep_contrast(front, back, least, theme):
    found = tokens()
    assert contrast(found[front][theme], found[back][theme]) >= least


def test_only_tokens_name_colors():
    for name in ("base", "layout", "components", "utilities"):
        css = re.sub(r"/\*.*?\*/", "", (ROOT / f"static/css/{name}.css").read_text(), flags=re.DOTALL)
        colors = set(re.findall(r"#[0-9a-fA-F]{3,8}\b(?![\w-]*\s*\{)", css))
        assert colors <= {"#fff", "#9cc0ff"}, name


def test_every_token_that_is_used_is_declared():
    css = "".join(path.read_text() for path in (ROOT / "static/css").glob("*.css"))
    declared = set(re.findall(r"(--[a-z0-9-]+):", css))
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", css)) - declared == set()


def test_the_style_guide_draws_everything_twice():
    html = draw("{% include 'console/styleguide.html' %}", console={"user": None})
    assert html.count('data-theme="') == 2
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)), "an id stands twice"
    for word in states.WORDS.values():
        assert html.count(str(word.label)) >= 2
