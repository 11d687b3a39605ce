"""What the local driver renders, and how to connect: pure functions of the view."""

import dataclasses
import json
import uuid

import pytest

from apps.databases.offerings.postgresql import OFFERING, backups
from apps.databases.offerings.postgresql.local import LocalPostgresql
from apps.databases.offerings.postgresql.plans import packages
from apps.databases.offerings.postgresql.spec import PostgresqlSpec
from portal.clusters.backends.local import codec, render
from portal.clusters.backends.local.packages.catalogue import CATALOGUE
from portal.core.drivers import Origin, Unit
from tests.databases.conftest import child, first_children, view

RELEASES = [release for version in OFFERING.versions for release in version.releases]
DRIVER = LocalPostgresql()


@pytest.mark.parametrize("release", RELEASES)
def test_the_same_view_gives_the_same_unit_and_it_survives_json(release: str) -> None:
    unit = DRIVER.render(view(release))
    assert unit == DRIVER.render(view(release))
    assert codec.unit_from_json(json.loads(json.dumps(codec.unit_to_json(unit)))) == unit
    assert set(packages(release)) <= set(CATALOGUE)
    assert _placeholders(unit) <= {"dir", "run", "port:main", *(f"package:{key}" for key in unit.packages)} | {
        f"secret:{secret.name}.password" for secret in unit.secrets
    }


def test_no_command_line_holds_a_secret_and_none_goes_through_a_shell() -> None:
    parts = (*first_children(), child("backups", "b", 3), child("users", "x", 4, deleting=True))
    unit = DRIVER.render(view(children=parts))
    commands = [unit.argv, unit.probe.argv, *(c.argv for c in unit.prepare), *(run.argv for run in unit.runs)]
    for argv in commands:
        assert not render.mentions_secret(argv)
        assert not {"sh", "bash", "/bin/sh", "-c sh"} & set(argv)
        assert argv[0].startswith(("{{package:", "/usr/bin/"))


def test_runs_come_in_the_order_that_one_lane_needs() -> None:
    parts = (
        child("databases", "shop", 5, deleting=True),
        child("users", "old", 4, deleting=True),
        *first_children(),
    )
    keys = [run.key for run in DRIVER.render(view(children=parts)).runs if run.lane == "main"]
    words = [key.partition(":")[0] + (":delete" if key.endswith("delete") else "") for key in keys]
    assert words == ["bootstrap", "users", "databases", "databases:delete", "users:delete"]


@pytest.mark.parametrize("release", RELEASES)
def test_the_groundwork_of_a_release_knows_nothing_of_the_service(release: str) -> None:
    users = (child("users", "admin", 7, main=True, connection_limit=3), child("users", "more", 8))
    other = view(
        release,
        handle="zzzzzzzzzzzz",
        name="other",
        plan=OFFERING.plans[0],
        spec=PostgresqlSpec(timezone="Europe/Berlin", work_mem_mib=8),
        children=(child("databases", "defaultdb", 6, main=True), *users),
    )
    unit = DRIVER.render(view(release))
    assert unit.groundwork
    assert unit.groundwork == DRIVER.render(other).groundwork
    texts = [text for command in unit.groundwork for text in (*command.argv, command.stdin, *command.env.values())]
    assert render.placeholders(texts) == {"dir", "package"}
    assert "--auth=reject" in unit.groundwork[0].argv
    assert not [word for text in texts for word in ("PASSWORD", "trust", "pwfile") if word in text]


def test_what_nobody_can_do_without_is_made_in_one_go_and_counts_for_its_parts() -> None:
    runs = {run.key: run for run in DRIVER.render(view()).runs}
    first = runs["bootstrap:1:data"]
    assert set(first.covers) == {row.key for row in first_children()} <= set(runs)
    assert all(runs[key].stdin in first.stdin for key in first.covers)
    more = DRIVER.render(view(children=(*first_children(), child("users", "app", 4)))).runs
    assert child("users", "app", 4).key not in next(run for run in more if run.key == first.key).covers


def test_a_changed_part_runs_again_and_a_raised_rotation_makes_a_new_password() -> None:
    before = DRIVER.render(view())
    admin = child("users", "admin", 2, main=True, rotation=1, generation=2)
    after = DRIVER.render(view(children=(first_children()[0], admin)))
    assert {run.key for run in after.runs} - {run.key for run in before.runs} == {admin.key}
    assert [secret.rotation for secret in after.secrets] == [0, 1]
    assert [secret.name for secret in after.secrets] == [secret.name for secret in before.secrets]


def test_a_minor_release_changes_the_program_and_not_the_data() -> None:
    old, new = DRIVER.render(view("17.9")), DRIVER.render(view("17.10"))
    assert old.argv[0] != new.argv[0]
    assert old.argv[1:] == new.argv[1:]
    assert old.files == new.files


def test_a_backup_is_made_once_read_through_and_kept_until_it_is_deleted() -> None:
    queued = child("backups", "b", 3)
    made, verified = (run for run in DRIVER.render(view(children=(queued,))).runs if run.lane == "backup")
    assert made.once
    assert made.artifact == backups.artifact(queued)
    assert not verified.once
    done = dataclasses.replace(queued, state="succeeded", facts={"artifact": made.artifact})
    unit = DRIVER.render(view(children=(done,)))
    assert unit.keep_artifacts == (made.artifact,)
    assert not [run for run in unit.runs if run.lane == "backup"]
    assert DRIVER.render(view(children=(dataclasses.replace(done, deleting=True),))).keep_artifacts == ()
    again = dataclasses.replace(queued, generation=2)
    assert backups.artifact(again) != made.artifact
    cancelled = DRIVER.render(view(children=(dataclasses.replace(queued, cancelled=True),)))
    assert all(run.cancelled for run in cancelled.runs if run.lane == "backup")


def test_a_service_that_is_born_from_a_backup_unpacks_it_and_locks_its_logins() -> None:
    origin = Origin("otherservice", "backups", uuid.UUID(int=9), {"artifact": "x-1/base.tar.gz"})
    unit = DRIVER.render(view(origin=origin))
    assert [(entry.handle, entry.path) for entry in unit.inputs] == [("otherservice", "x-1/base.tar.gz")]
    assert [command.argv[0].rpartition("/")[2] for command in unit.prepare] == ["mkdir", "tar", "postgres"]
    assert "NOLOGIN PASSWORD NULL" in unit.prepare[-1].stdin
    assert unit.running
    born = DRIVER.render(view(origin=origin, facts={"release": "17.10"}))
    assert born.inputs == ()


def test_a_restore_over_the_service_fills_a_new_directory_and_moves_over_when_it_worked() -> None:
    key = "0192f0c1-2345-7000-8000-000000000001"
    origin = Origin("abcdefghijkl", "backups", uuid.UUID(int=9), {"artifact": "x-1/base.tar.gz"}, key, True)
    restoring = DRIVER.render(view(origin=origin))
    steps = [run for run in restoring.runs if run.lane == "restore"]
    assert not restoring.running
    assert all(run.once and run.while_stopped for run in steps)
    assert restoring.argv[2] == "{{dir}}/data"
    assert steps[1].argv[-1] == "{{dir}}/data-0192f0c12345"
    facts = {"data": "data-0192f0c12345", "restored": key}
    after = DRIVER.render(view(origin=origin, facts=facts))
    assert after.running
    assert after.argv[2] == "{{dir}}/data-0192f0c12345"
    assert "bootstrap:1:data-0192f0c12345" in [run.key for run in after.runs]
    assert any("! -name data-0192f0c12345" in " ".join(run.argv) for run in after.runs)
    failed = DRIVER.render(view(origin=origin, facts={"restore_failed": key}))
    assert failed.running
    assert failed.argv[2] == "{{dir}}/data"


def test_each_login_gets_uri_environment_and_code_with_placeholders_alone() -> None:
    parts = (*first_children(), child("users", "app", 4), child("users", "gone", 6, deleting=True))
    facts = {"endpoints": [{"port": 20123}]}
    main, app = DRIVER.connect(view(children=parts, facts=facts))
    secret = f"{{{{secret:user-{uuid.UUID(int=2).hex}.password}}}}"
    assert (main.username, main.main, app.username, app.main) == ("admin", True, "app", False)
    assert main.uri == f"postgresql://{{{{username}}}}:{secret}@localhost:20123/defaultdb?sslmode=verify-full"
    assert main.environment["PGPASSWORD"] == secret
    assert main.environment["PGSSLMODE"] == "verify-full"
    labels = [snippet.label for snippet in main.snippets]
    assert labels == ["psql", "Python", "Django", "Node.js", "Go", "Java", ".env"]
    assert all(secret in snippet.code for snippet in main.snippets)
    assert DRIVER.connect(view()) == ()


def _placeholders(unit: Unit) -> set[str]:
    text = json.dumps(codec.unit_to_json(unit))
    return {f"{match[1]}:{match[2]}" if match[2] else match[1] for match in render._PLACEHOLDER.finditer(text)}
