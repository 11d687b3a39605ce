"""Documents of batch kinds: kept whole by the backend, placed by the supervisor, taken up by a reload."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portal.clusters.backends.local.layout import Home
from portal.core.drivers import Document, Unit

if TYPE_CHECKING:
    from tests.clusters.local.conftest import Supervised

Units = Callable[..., Unit]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, "abcdefghijkl")


def test_the_newest_is_kept_and_an_older_one_comes_too_late(home: Home) -> None:
    assert home.kept_documents() == {}
    assert home.put_document("devices", 2, ["a\n", "b\n"])
    assert not home.put_document("devices", 1, ["old\n"])
    assert not home.put_document("devices", 2, ["again\n"])
    assert home.kept_documents() == {"devices": 2}
    assert home.document("devices", 1) == b"a\nb\n"
    assert home.document("devices", 3) is None
    assert home.put_document("devices", 3, ["c\n"])
    assert [path.name for path in home.documents.iterdir()] == ["devices.3"]


def test_a_document_that_breaks_off_leaves_the_one_before(home: Home) -> None:
    home.put_document("devices", 1, ["a\n"])

    def broken() -> object:
        yield "b\n"
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError):
        home.put_document("devices", 2, broken())  # type: ignore[arg-type]
    assert (home.kept_documents(), home.document("devices", 1)) == ({"devices": 1}, b"a\n")


def test_nothing_is_kept_for_a_service_that_is_gone(home: Home) -> None:
    home.make()
    home.bury()
    assert not home.put_document("devices", 1, ["a\n"])
    assert not home.path.exists()


@pytest.mark.engine
def test_a_new_revision_is_placed_and_reloaded(supervised: "Supervised", small_unit: Units) -> None:
    home = Home(supervised.data, "abcdefghijkl")
    home.put_document("devices", 1, ["one\n"])
    supervised.wish(home.handle, small_unit(documents=(Document("devices", "devices.csv", 1),)))
    assert supervised.until_ready(home.handle).documents == {"devices": 1}
    assert (home.root / "devices.csv").read_text() == "one\n"
    pid = supervised.pid(home.handle)
    supervised.wish(home.handle, small_unit(documents=(Document("devices", "devices.csv", 2),)), generation=2)
    reason = "InvalidUnit"
    supervised.eventually(lambda: supervised.state(home.handle).reason == reason, "the document is asked for")
    home.put_document("devices", 2, ["one\n", "two\n"])
    supervised.wish(home.handle, small_unit(documents=(Document("devices", "devices.csv", 2),)), generation=2)
    supervised.eventually(lambda: supervised.state(home.handle).documents == {"devices": 2}, "it is in force")
    assert (home.root / "devices.csv").read_text() == "one\ntwo\n"
    supervised.eventually((home.root / "reloaded").exists, "it was told to reload")
    assert supervised.pid(home.handle) == pid
