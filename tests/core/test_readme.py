"""What the README says of the services is what their declarations say."""

from pathlib import Path

from portal.core.management.commands.capabilities import table

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_table_of_capabilities_is_made_from_the_declarations() -> None:
    written = README.read_text("utf-8").split("<!-- capabilities -->")[1].split("<!-- /capabilities -->")[0]
    assert written.strip() == table().strip(), "run: manage.py capabilities, and put its answer into the README"
