"""The log as a file: who may take it along, in which forms, and that it stands in the log that somebody did."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit import actions as audit
from portal.audit import exporting, heads, sealing, verifying
from portal.audit.models import AuditEvent
from portal.core.actors import SYSTEM, Actor
from portal.core.export import cell, csv_lines
from portal.projects.models import Organization, Project
from tests.audit.forging import forger, remove
from tests.fixtures import person

API, PAGE = "/api/v1/audit/export", "/audit/export"
ApiOf, ClientOf, ActorOf = Callable[..., APIClient], Callable[[User], Client], Callable[..., Actor]


def event(project: Project, name: str = "x", **more: Any) -> AuditEvent:
    place = {"organization_id": project.organization_id, "project_id": project.id}
    return audit.record(actor=SYSTEM, action="project.edit", target_kind="project", target_name=name, **place, **more)


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content).decode()


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(answer))))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("plain = text", "plain = text"),
        ({"name": ["=a", "b"]}, '{"name": ["=a", "b"]}'),
        (None, ""),
        ({}, ""),
        (-1, "'-1"),
    ],
)
def test_no_cell_is_a_command_to_a_spreadsheet(value: object, expected: str) -> None:
    assert cell(value) == expected


def test_a_cell_keeps_quotes_commas_and_lines() -> None:
    nasty = 'a "quoted", text\nof two lines'
    [read] = csv.DictReader(io.StringIO("".join(csv_lines(["x"], [{"x": nasty}]))))
    assert read["x"] == nasty


def test_an_auditor_takes_it_along_and_a_viewer_nothing_of_it(
    auditor: User, viewer: User, project: Project, other_project: Project, client_of: ClientOf
) -> None:
    event(project, "=cmd|' /C calc'!A0", changes={"spec": [{"a": 1}, {"a": 2}]}, reason="because")
    event(other_project, "foreign")
    [row] = [row for row in rows_of(client_of(auditor).get(PAGE)) if row["action"] != "audit.export"]
    assert row["target"] == "'=cmd|' /C calc'!A0"
    assert json.loads(row["changes"]) == {"spec": [{"a": 1}, {"a": 2}]}
    assert (row["actor"], row["reason"], row["project"]) == ("Archipel", "because", project.public_id)
    assert tuple(row) == exporting.COLUMNS
    assert {row["action"] for row in rows_of(client_of(viewer).get(PAGE))} == {"audit.export"}  # their own act
    assert client_of(viewer).get(PAGE, {"project": "acme-prod"}).status_code == 403
    assert client_of(viewer).get(PAGE, {"project": "other-prod"}).status_code == 404


def test_json_lines_hold_the_same_and_the_filters_keep(owner: User, project: Project, api_of: ApiOf) -> None:
    event(project, "done")
    event(project, "refused", outcome="denied")
    answer = api_of(owner).get(API, {"format": "jsonl", "outcome": "denied"})
    assert answer["Content-Type"] == "application/jsonl"
    [row] = [json.loads(line) for line in text_of(answer).splitlines()]
    assert (row["target"], row["outcome"], row["changes"]) == ("refused", "denied", {})
    assert "Link" not in answer


def test_what_makes_no_sense_is_named(owner: User, api_of: ApiOf) -> None:
    for query, name in (({"format": "xml"}, "format"), ({"cursor": "x"}, "cursor"), ({"period": "1y"}, "period")):
        answer = api_of(owner).get(API, query)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"?{name}")
    assert api_of(owner).get(API, {"what": "x"}).status_code == 422


def test_files_follow_each_other(owner: User, project: Project, api_of: ApiOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 2)
    for name in ("in_batches", "last_of_file"):
        monkeypatch.setattr(exporting, name, _of_three(getattr(exporting, name)))
    for number in range(7):
        event(project, f"n{number}")
    address, seen, files = f"{API}?action=project.edit", [], 0
    while address:
        answer = api_of(owner).get(address)
        seen += [row["target"] for row in rows_of(answer)]
        address, files = answer.get("Link", "").partition(">")[0].lstrip("<").partition("testserver")[2], files + 1
    assert (seen, files) == ([f"n{number}" for number in reversed(range(7))], 3)


def _of_three(read: Callable[..., Any]) -> Callable[..., Any]:
    return lambda rows, after=None: read(rows, after, 3)


def test_it_stands_in_the_log_that_somebody_took_it_along(
    owner: User, organization: Organization, project: Project, client_of: ClientOf
) -> None:
    client = client_of(owner)
    client.head(PAGE, {"project": "acme-prod"})
    assert not AuditEvent.objects.exists()  # a look at the headers takes nothing along
    client.get(PAGE, {"project": "acme-prod", "outcome": "denied", "actor": "owner@acme.example"})
    row = AuditEvent.objects.get()
    assert (row.action, row.actor_id, row.project_id) == ("audit.export", owner.id, project.id)
    assert row.changes == {"project": "acme-prod", "outcome": "denied"}  # and no mail address
    client.get(PAGE)
    assert AuditEvent.objects.filter(organization_id=organization.id, project_id=None).count() == 1


def test_a_lead_s_export_stands_with_their_project(
    organization: Organization, project: Project, client_of: ClientOf
) -> None:
    lead = person("lead@acme.example", organization, "member", project, "admin")
    client_of(lead).get(PAGE)
    row = AuditEvent.objects.get()
    assert (row.organization_id, row.project_id) == (organization.id, project.id)


def test_an_operator_says_whose_log_and_its_people_see_it(
    operator: User, owner: User, organization: Organization, project: Project, client_of: ClientOf, api_of: ApiOf
) -> None:
    assert api_of(operator).get(API).status_code == 422
    assert not AuditEvent.objects.exists()
    assert api_of(operator).get(API, {"organization": "acme"}).status_code == 200
    [item] = api_of(owner).get("/api/v1/audit").json()["items"]
    assert (item["action"], item["actor"]["name"]) == ("audit.export", "Provider")


def test_reading_batches_takes_a_query_each(owner: User, project: Project, django_assert_num_queries: Any) -> None:
    for number in range(5):
        event(project, f"n{number}")
    with django_assert_num_queries(1):
        assert len(list(exporting.in_batches(AuditEvent.objects.all()))) == 5


def test_the_head_is_told_to_who_reads_the_log(
    auditor: User, developer: User, operator: User, stranger: User, project: Project, api_of: ApiOf, client_of: ClientOf
) -> None:
    event(project)
    sealing.seal_all()
    answer = client_of(auditor).get("/audit/head", {"organization": "acme"})
    assert 'filename="audit-head-acme-' in answer["Content-Disposition"]
    [chain] = answer.json()["chains"]
    assert (chain["organization"], chain["position"]) == (project.organization.public_id, 1)
    assert chain["digest"] == bytes(AuditEvent.objects.get(position=1).digest or b"").hex()
    assert api_of(developer).get("/api/v1/audit/head", {"organization": "acme"}).status_code == 403
    assert api_of(stranger).get("/api/v1/audit/head", {"organization": "acme"}).status_code == 404
    assert api_of(auditor).get("/api/v1/audit/head").status_code == 422
    assert len(api_of(operator).get("/api/v1/audit/head").json()["chains"]) >= 1


def test_the_head_of_the_page_finds_what_was_cut_off(
    auditor: User, project: Project, client_of: ClientOf, tmp_path: Any
) -> None:
    for number in range(3):
        event(project, f"n{number}")
    sealing.seal_all()
    kept = tmp_path / "head.json"
    kept.write_bytes(client_of(auditor).get("/audit/head", {"organization": "acme"}).content)
    assert not any(report.flaws for report in verifying.verify(heads.load(kept)))
    with forger() as cursor:
        remove(cursor, project.organization_id, [3])
    assert any(report.flaws for report in verifying.verify(heads.load(kept)))
