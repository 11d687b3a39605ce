"""One control plane for all cluster tests of a worker, and the operators' kinds on it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster import crds as definitions
from tests.cluster.control_plane import ControlPlane


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """Built first where no run has built it yet, for minutes, with its progress on the terminal."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        binaries.folder()
    with tempfile.TemporaryDirectory(prefix="archipel-cluster-", ignore_cleanup_errors=True) as folder:
        running = ControlPlane(Path(folder))
        try:
            running.start()
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="session")
def crds(request: pytest.FixtureRequest, control_plane: ControlPlane) -> definitions.Installed:
    """All kinds that drivers declare; one line on the terminal says whether their schemas are the published ones."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        return definitions.install(control_plane, definitions.declared())


@pytest.fixture(autouse=True)
def api_server_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that stops the shared API server and fails before it starts it again does not spoil those after it."""
    yield
    if "control_plane" in request.fixturenames:
        shared: ControlPlane = request.getfixturevalue("control_plane")
        if not shared.api.is_alive():
            shared.start_again()


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace of the test's own, which goes away by itself afterwards."""
    made = control_plane.call("POST", "/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
    name: str = made["metadata"]["name"]
    yield name
    control_plane.call("DELETE", f"/api/v1/namespaces/{name}")
