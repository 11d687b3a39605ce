"""Clusters are added, changed and removed by operators: checked first, kept sealed, audited without secrets."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters import adding
from portal.clusters.adding import NewRegion
from portal.clusters.backends.kubernetes import clients, kubeconfig
from portal.clusters.backends.kubernetes.kubeconfig import Access
from portal.clusters.models import Cluster, Region
from portal.core import vault
from portal.core.actors import SYSTEM, Actor
from portal.core.errors import Problem
from portal.projects.models import Project
from portal.resources.models import Resource
from tests.clusters.kubernetes.double import TOKEN, Double, running
from tests.clusters.kubernetes.test_discovery import good

pytestmark = pytest.mark.django_db
ActorOf = Callable[..., Actor]
REGIONS, CLUSTERS = "/admin/clusters/region/", "/admin/clusters/cluster/"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with running(tmp_path) as found:
        found.on(good())
        yield found


@pytest.fixture
def text(double: Double) -> str:
    return kubeconfig.written(double.access)


@pytest.fixture
def region(db: None) -> Region:
    return Region.objects.create(slug="vienna", name="Vienna")


def add(text: str, region: Region | NewRegion, actor: Actor = SYSTEM, **more: Any) -> Cluster:
    given = {"name": "vienna-1", "reason": "New hall", **more}
    return adding.add_cluster(actor, region=region, kubeconfig=text, **given)


def refusal(asked: Callable[[], Any]) -> Problem:
    with pytest.raises(Problem) as caught:
        asked()
    return caught.value


def everything_written() -> str:
    rows = [*Cluster.objects.values(), *AuditEvent.objects.values(), *Region.objects.values()]
    return json.dumps(rows, default=str)


def test_a_cluster_is_looked_at_and_kept_sealed_with_its_region(
    double: Double, text: str, operator: User, actor_of: ActorOf
) -> None:
    settings = {"storage_class": "local", "operator_namespaces": ["cnpg-system"]}
    cluster = add(text, NewRegion("vienna", "Vienna"), actor_of(operator), settings=settings)
    cluster.refresh_from_db()
    assert cluster.capabilities["version"] == "1.36.3+k3s1"
    assert cluster.settings == settings
    assert (cluster.region.slug, cluster.region.name, cluster.enabled) == ("vienna", "Vienna", True)
    assert kubeconfig.read(vault.unseal(cluster.kubeconfig)) == double.access
    assert TOKEN not in everything_written()
    event = AuditEvent.objects.get(action="cluster.add")
    assert (event.actor_id, event.reason, event.changes["server"]) == (
        operator.id,
        "New hall",
        [None, double.access.server],
    )
    assert AuditEvent.objects.filter(action="region.add", target_name="vienna").count() == 1
    assert clients.client_of(cluster).json("/version")
    clients.forget(cluster.id)


@pytest.mark.parametrize("who", ["owner", "support"])
def test_nobody_else_does_any_of_it(
    who: str, text: str, region: Region, actor_of: ActorOf, request: pytest.FixtureRequest
) -> None:
    cluster, actor = add(text, region), actor_of(request.getfixturevalue(who))
    for act in (
        lambda: add(text, region, actor, name="vienna-2"),
        lambda: adding.change_settings(actor, cluster=cluster, settings={}, reason="x"),
        lambda: adding.replace_kubeconfig(actor, cluster=cluster, kubeconfig=text, reason="x"),
        lambda: adding.remove_cluster(actor, cluster=cluster, reason="x"),
    ):
        assert refusal(act).code == "permission_denied"
    assert Cluster.objects.count() == 1


def test_what_is_wrong_is_named_and_nothing_is_written(double: Double, text: str, region: Region) -> None:
    wrong = kubeconfig.written(Access(double.access.server, double.access.authority, token="t")).replace(
        "https", "http"
    )
    for pointer, asked in {
        "/kubeconfig": lambda: add(wrong, region),
        "/name": lambda: add(text, region, name="Not Good"),
        "/settings/storage_clas": lambda: add(text, region, settings={"storage_clas": "x"}),
        "/settings/storage_class": lambda: add(text, region, settings={"storage_class": "x y"}),
        "/settings/prometheus_url": lambda: add(text, region, settings={"prometheus_url": "file:///etc/passwd"}),
        "/settings/api_networks/0": lambda: add(text, region, settings={"api_networks": ["10.0.0.0/99"]}),
        "/settings/s3_endpoint": lambda: add(text, region, settings={"bucket_class": "ceph"}),
        "/region": lambda: add(text, NewRegion("vienna", "Again")),
        "/reason": lambda: add(text, region, reason=" "),
    }.items():
        assert refusal(asked).errors[0].pointer == pointer
    assert not Cluster.objects.exists()
    add(text, region)
    assert refusal(lambda: add(text, region)).errors[0].code == "name_taken"


def test_one_that_does_not_answer_is_refused_unless_that_is_wanted(double: Double, region: Region) -> None:
    dead = kubeconfig.written(Access("https://127.0.0.1:1", double.access.authority, token=TOKEN))
    problem = refusal(lambda: add(dead, NewRegion("graz", "Graz")))
    assert problem.errors[0].code == "no_answer"
    assert "refused" in problem.errors[0].detail
    assert TOKEN not in problem.errors[0].detail
    assert not Region.objects.filter(slug="graz").exists()
    cluster = add(dead, region, unchecked=True)
    assert (cluster.capabilities, cluster.discovered_at) == ({}, None)


def test_settings_are_replaced_whole_and_told(text: str, region: Region) -> None:
    cluster = add(text, region, settings={"storage_class": "local"})
    adding.change_settings(SYSTEM, cluster=cluster, settings={"prometheus_url": "http://prometheus:9090"}, reason="x")
    cluster.refresh_from_db()
    assert cluster.settings == {"prometheus_url": "http://prometheus:9090"}
    event = AuditEvent.objects.get(action="cluster.settings")
    assert event.changes == {
        "storage_class": ["local", None],
        "prometheus_url": [None, "http://prometheus:9090"],
    }
    same = refusal(lambda: adding.change_settings(SYSTEM, cluster=cluster, settings=cluster.settings, reason="x"))
    assert same.code == "nothing_changed"


def test_a_new_kubeconfig_takes_a_silent_cluster_back(double: Double, text: str, region: Region) -> None:
    dead = kubeconfig.written(Access("https://127.0.0.1:1", double.access.authority, token="t"))
    cluster = add(dead, region, unchecked=True)
    with pytest.raises(Exception, match="does not answer"):
        clients.client_of(cluster).json("/version")
    assert (
        refusal(lambda: adding.replace_kubeconfig(SYSTEM, cluster=cluster, kubeconfig=dead, reason="x")).errors[0].code
        == "no_answer"
    )
    adding.replace_kubeconfig(SYSTEM, cluster=cluster, kubeconfig=text, reason="Moved")
    cluster.refresh_from_db()
    assert (cluster.silent_since, cluster.trouble, cluster.capabilities["version"]) == (None, "", "1.36.3+k3s1")
    assert TOKEN not in everything_written()
    clients.forget(cluster.id)


def test_a_cluster_goes_only_when_it_serves_nobody(
    text: str, region: Region, project: Project, django_capture_on_commit_callbacks: Any
) -> None:
    cluster = add(text, region)
    local = Cluster.objects.create(region=region, name="here", kind="local")
    assert refusal(lambda: adding.remove_cluster(SYSTEM, cluster=local, reason="x")).code == "not_possible"
    service = Resource.objects.create(
        project=project, region=region, cluster=cluster, offering_slug="postgresql", handle="abcdefgh2345", name="a"
    )
    problem = refusal(lambda: adding.remove_cluster(SYSTEM, cluster=cluster, reason="x"))
    assert (problem.code, problem.extra["services"]) == ("cluster_in_use", 1)
    service.delete()
    with django_capture_on_commit_callbacks(execute=True):
        adding.remove_cluster(SYSTEM, cluster=cluster, reason="Old hall")
    assert not Cluster.objects.filter(name="vienna-1").exists()
    assert AuditEvent.objects.get(action="cluster.remove").target_name == "vienna-1"


def run(*args: str) -> str:
    out, trouble = io.StringIO(), io.StringIO()
    call_command(*args, stdout=out, stderr=trouble)
    return out.getvalue() + trouble.getvalue()


def test_the_shell_adds_and_removes(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    more = ("--region-name", "Vienna", "--set", "storage_class=gone", "--set", 'operator_namespaces=["cnpg-system"]')
    said = run("addcluster", "vienna-1", "--kubeconfig", str(file), "--region", "vienna", *more)
    assert "vienna-1 in region vienna: Kubernetes 1.36.3+k3s1." in said
    assert "There is no storage class gone" in said
    assert Cluster.objects.get().settings["operator_namespaces"] == ["cnpg-system"]
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert "vienna-2" in run("addcluster", "vienna-2", "--kubeconfig", "-", "--region", "vienna")
    for args, words in {
        ("--kubeconfig", str(tmp_path / "none")): "No such file",
        ("--kubeconfig", str(file), "--set", "x"): "write key=value",
        ("--kubeconfig", str(file), "--set", "x=1"): "settings/x",
        ("--kubeconfig", str(file), "--set", "api_networks=[1"): "not JSON",
    }.items():
        with pytest.raises(CommandError, match=words):
            run("addcluster", "vienna-3", "--region", "vienna", *args)
    assert "forgotten" in run("removecluster", "vienna-2")
    with pytest.raises(CommandError, match="no cluster"):
        run("removecluster", "vienna-2")
    assert Region.objects.count() == 1


@pytest.fixture
def console(operator: User, client_of: Callable[[User], Browser]) -> Browser:
    return client_of(operator)


def act(browser: Browser, page: str, action: str, row: Any, **fields: Any) -> Any:
    sent = {"action": action, "_selected_action": str(row.pk), **fields}
    return browser.post(page, sent, follow=True)


def test_the_admin_site_adds_one_and_shows_the_kubeconfig_never(console: Browser, text: str, region: Region) -> None:
    form = act(console, REGIONS, "add_cluster", region).content.decode()
    for words in ('enctype="multipart/form-data"', 'type="file"', "Storage class", "Pod security", "Or its text"):
        assert words in form, words
    sent = {"_sent": "1", "name": "vienna-1", "kubeconfig": text, "reason": "New hall", "pod_security": "baseline"}
    wrong = act(console, REGIONS, "add_cluster", region, **{**sent, "storage_class": "x y"})
    assert wrong.status_code == 422
    assert TOKEN not in wrong.content.decode()
    assert "field-error" in wrong.content.decode()
    networks = "10.0.0.0/8\n192.168.0.1/32"
    act(console, REGIONS, "add_cluster", region, **sent, api_networks=networks)
    cluster = Cluster.objects.get()
    assert cluster.settings == {"pod_security": "baseline", "api_networks": ["10.0.0.0/8", "192.168.0.1/32"]}
    pages = console.get(f"{CLUSTERS}{cluster.pk}/change/").content.decode() + console.get(CLUSTERS).content.decode()
    assert "postgresql.cnpg.io/v1" in pages
    assert "1.36.3+k3s1" in pages
    assert TOKEN not in pages
    assert cluster.kubeconfig not in pages


def test_the_admin_site_takes_a_file_changes_settings_replaces_and_removes(
    console: Browser, text: str, region: Region, double: Double
) -> None:
    file = SimpleUploadedFile("config", text.encode())
    act(console, REGIONS, "add_cluster", region, _sent="1", name="vienna-1", file=file, reason="New hall")
    cluster = Cluster.objects.get()
    form = act(console, CLUSTERS, "change_settings", cluster).content.decode()
    assert 'value="cluster.local"' in form
    changed = {"_sent": "1", "storage_class": "local", "cluster_domain": "cluster.local", "reason": "Faster"}
    act(console, CLUSTERS, "change_settings", cluster, **changed)
    cluster.refresh_from_db()
    assert cluster.settings == {"storage_class": "local"}
    for sent in ({}, {"file": SimpleUploadedFile("config", b"\xff\xfe")}, {"kubeconfig": "a: ["}):
        answer = act(console, CLUSTERS, "replace_kubeconfig", cluster, _sent="1", reason="x", **sent)
        assert answer.status_code == 422
    act(console, CLUSTERS, "replace_kubeconfig", cluster, _sent="1", reason="x", kubeconfig=text)
    assert AuditEvent.objects.filter(action="cluster.kubeconfig").count() == 1
    act(console, CLUSTERS, "remove", cluster, reason="Old hall")
    assert not Cluster.objects.exists()


def test_an_operator_may_ask_a_silent_cluster_before_its_time(
    console: Browser, text: str, region: Region, double: Double
) -> None:
    dead = kubeconfig.written(Access("https://127.0.0.1:1", double.access.authority, token=TOKEN))
    cluster = add(dead, region, unchecked=True)
    said = act(console, CLUSTERS, "discover", cluster, reason="It was mended").content.decode()
    assert "Connection refused" in said
    assert TOKEN not in said
    cluster.refresh_from_db()
    assert cluster.silent_since is not None
    Cluster.objects.update(kubeconfig=vault.seal(text))
    act(console, CLUSTERS, "discover", cluster, reason="It was mended")
    cluster.refresh_from_db()
    assert (cluster.silent_since, cluster.capabilities["version"]) == (None, "1.36.3+k3s1")
    clients.forget(cluster.id)
