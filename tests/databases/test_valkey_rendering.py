"""What the local driver renders of a Valkey, its files' encoders, and how to connect: pure functions of the view."""

import dataclasses
import json
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.databases.offerings.valkey import OFFERING, acl, backups, config, front, nodes
from apps.databases.offerings.valkey.plans import packages
from apps.databases.offerings.valkey.spec import UserSpec, ValkeySpec
from portal.clusters.backends.local import codec, render
from portal.clusters.backends.local.packages.catalogue import CATALOGUE
from portal.core import specs
from portal.core.drivers import Origin, Unit
from tests.databases.valkey import DRIVER, child, first_children, plan, view

RELEASES = [release for version in OFFERING.versions for release in version.releases]
REPLICATED = ValkeySpec(replicas=2)
CLUSTER = ValkeySpec(mode="cluster")


def content(unit: Unit, path: str) -> str:
    return next(file.content for file in unit.files if file.path == path)


def files_of(unit: Unit) -> set[str]:
    return {file.path for file in unit.files}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("spec", [ValkeySpec(), REPLICATED, CLUSTER], ids=["alone", "replicated", "cluster"])
def test_the_same_view_gives_the_same_unit_and_it_survives_json(release: str, spec: ValkeySpec) -> None:
    unit = DRIVER.render(view(release, spec=spec))
    assert unit == DRIVER.render(view(release, spec=spec))
    assert codec.unit_from_json(json.loads(json.dumps(codec.unit_to_json(unit)))) == unit
    assert set(packages(release)) <= set(CATALOGUE)
    ports = {f"port:{name}" for name in unit.ports}
    known = {"dir", "run", *ports, *(f"package:{key}" for key in unit.packages)}
    assert _placeholders(unit) <= known | {f"secret:{secret.name}.password" for secret in unit.secrets}
    assert all(set(one.files) - {"tls/cert.pem"} <= files_of(unit) for one in unit.companions)


def test_no_command_line_holds_a_secret_and_none_goes_through_a_shell() -> None:
    parts = (*first_children(), child("backups", "b", 3), child("users", "x", 4, deleting=True))
    for spec in (REPLICATED, CLUSTER):
        unit = DRIVER.render(view(spec=spec, children=parts, facts={"primary": 3, "persistence": "none"}))
        commands = [unit.argv, unit.probe.argv, *(c.argv for c in unit.prepare), *(run.argv for run in unit.runs)]
        commands += [argv for one in unit.companions for argv in (one.argv, one.probe.argv if one.probe else ())]
        for argv in commands:
            assert not render.mentions_secret(argv)
            assert not {"sh", "bash", "/bin/sh", "-c sh"} & set(argv)
            assert argv[0].startswith(("{{package:", "/usr/bin/"))


def test_a_lone_node_listens_on_a_socket_alone_and_the_front_speaks_tls() -> None:
    unit = DRIVER.render(view())
    assert unit.ports == ("main",)
    assert "\nport 0\n" in f"\n{content(unit, 'etc/node-1-settings.conf')}"
    lines = content(unit, front.CONFIG).splitlines()
    binds = [line.strip() for line in lines if line.strip().startswith("bind ")]
    assert binds == [
        "bind 127.0.0.1:{{port:main}} ssl crt {{dir}}/front/cert.pem",
        "bind unix@{{run}}/front.sock mode 600",
    ]
    assert [one.name for one in unit.companions] == ["front"]


def test_each_node_has_a_front_of_its_own_in_a_cluster_and_its_third_of_the_slots() -> None:
    unit = DRIVER.render(view(spec=CLUSTER))
    assert unit.ports == ("main", "main-2", "main-3", "bus-1", "bus-2", "bus-3")
    assert content(unit, front.CONFIG).count(" ssl crt ") == 3
    slots = [node.slots for node in nodes.nodes(view(spec=CLUSTER))]
    assert [slot for first, last in slots for slot in range(first, last + 1)] == list(range(nodes.SLOTS))
    for number in (1, 2, 3):
        port = "main" if number == 1 else f"main-{number}"
        assert f'cluster-announce-port "{{{{port:{port}}}}}"' in content(unit, f"etc/node-{number}.conf")
        assert "\nport 0\n" in f"\n{content(unit, f'etc/node-{number}-settings.conf')}"


def test_a_promotion_changes_roles_once_it_happened_and_keeps_the_old_primary_until_then() -> None:
    asked = ValkeySpec(replicas=2, primary=2)
    before = view(spec=asked, facts={"primary": 1})
    assert "replicaof" not in content(DRIVER.render(before), "etc/node-1-settings.conf")
    assert [run.key for run in DRIVER.render(before).runs if run.key.startswith("promote")] == [
        "promote:1:2:0",
        "promote:1:2:0:done",
    ]
    after = DRIVER.render(view(spec=asked, facts={"primary": 2}))
    assert "replicaof 127.0.0.1 {{port:node-2}}" in content(after, "etc/node-1-settings.conf")
    assert "replicaof" not in content(after, "etc/node-2-settings.conf")
    assert not [run for run in after.runs if run.key.startswith("promote")]
    alone = view(spec=ValkeySpec(primary=2), facts={"primary": 2})
    assert [node.number for node in nodes.nodes(alone)] == [1, 2]
    assert nodes.wanted_primary(alone) == 1


def test_a_change_of_persistence_is_written_before_the_old_way_is_left() -> None:
    going = view(spec=ValkeySpec(persistence="aof"), facts={"persistence": "rdb"})
    unit = DRIVER.render(going)
    assert "appendonly no" in content(unit, "etc/node-1-settings.conf")
    assert [run.key.partition(":")[2] for run in unit.runs if run.key.startswith("persist")] == [
        "rdb:aof:0:1:node-1:log",
        "rdb:aof:0:1:node-1:log:done",
    ]
    later = DRIVER.render(dataclasses.replace(going, facts={"persistence": "rdb", "persisted": "aof"}))
    assert "persist:rdb:aof:0:2:node-1:set" in [run.key for run in later.runs]
    done = DRIVER.render(dataclasses.replace(going, facts={"persistence": "aof"}))
    assert "appendonly yes" in content(done, "etc/node-1-settings.conf")


@pytest.mark.parametrize(
    "changes",
    [
        {"maxmemory_policy": "allkeys-lru"},
        {"timeout_seconds": 5},
        {"notify_keyspace_events": "KEA"},
        {"appendfsync": "always"},
        {"replicas": 1},
    ],
)
def test_only_what_the_engine_cannot_take_up_restarts_it(changes: dict[str, object]) -> None:
    before, after = DRIVER.render(view()), DRIVER.render(view(spec=ValkeySpec.model_validate(changes)))
    assert content(before, "etc/node-1.conf") == content(after, "etc/node-1.conf")
    assert {run.key for run in before.runs} != {run.key for run in after.runs}
    restarted = DRIVER.render(view(spec=ValkeySpec(databases=32)))
    assert content(before, "etc/node-1.conf") != content(restarted, "etc/node-1.conf")


# ---- users -----------------------------------------------------------------------------------------------------------


def test_the_default_user_is_off_and_may_replay_and_nobody_else_has_all_rights_but_the_platform() -> None:
    lines = content(DRIVER.render(view()), config.USERS_FILE).splitlines()
    assert lines[0] == "user default off ~* &* +@all"
    others = [line for line in lines[1:] if not line.startswith("user platform ")]
    assert all("-config" in line or "-@all" in line for line in others)
    assert [line.split()[1] for line in lines] == ["default", "platform", "front", "replication", "admin"]


@given(st.text(max_size=30))
def test_no_pattern_leaves_its_word(text: str) -> None:
    spec, errors = specs.validate(UserSpec, {"keys": [text], "channels": [text]})
    try:
        word = acl.word(text)
    except ValueError:
        assert errors
        return
    assert len(word.split()) == 1
    assert "{{" not in word.replace("{{lb}}", "")
    assert spec is not None or errors


@pytest.mark.parametrize("text", ["", " ", "a b", "a\nuser evil on nopass +@all", "a\tb", "a\0", "a\x7f", "a\u00a0b"])
def test_what_breaks_a_line_or_a_word_is_refused_by_spec_and_encoder(text: str) -> None:
    assert specs.validate(UserSpec, {"keys": [text]})[1]
    assert not specs.validate(UserSpec, {"keys": ["app:*", "{user}:*"], "channels": ["käse:*"]})[1]
    with pytest.raises(ValueError, match="a word may not"):
        acl.word(text)


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_no_value_ends_its_line(value: str) -> None:
    assert config.setting("dir", 'a "b" \\') == 'dir "a \\"b\\" \\\\"\n'
    with pytest.raises(ValueError, match="line break or NUL"):
        config.setting("dir", value)
    with pytest.raises(ValueError, match="not the name"):
        config.setting("dir x", "y")


def test_an_allow_list_is_networks_and_nothing_else() -> None:
    text = front.document(view(allow_list=("192.0.2.0/24", "2001:db8::/32")))
    assert "tcp-request connection reject unless { src 192.0.2.0/24 2001:db8::/32 }" in text
    assert "reject" not in front.document(view())
    with pytest.raises(ValueError, match="does not appear to be"):
        front.document(view(allow_list=("10.0.0.0/8 }\n    bind *:1",)))


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        (ValkeySpec, {"persistence": "always"}),
        (ValkeySpec, {"maxmemory_policy": "allkeys-lru\nrequirepass x"}),
        (ValkeySpec, {"notify_keyspace_events": 'KEA"'}),
        (ValkeySpec, {"replicas": 3}),
        (ValkeySpec, {"databases": 0}),
        (ValkeySpec, {"requirepass": "x"}),
        (UserSpec, {"access": "superuser"}),
        (UserSpec, {"rotation": 3}),
        (UserSpec, {"main": True}),
    ],
)
def test_what_is_off_the_list_is_refused_and_the_field_named(spec: type[specs.Spec], values: dict[str, object]) -> None:
    assert specs.validate(spec, {})[0] is not None
    checked, errors = specs.validate(spec, values)
    assert checked is None
    assert errors[0].pointer.startswith(f"/spec/{next(iter(values))}")


def test_the_mode_is_fixed_and_databases_only_grow() -> None:
    faults = specs.refused_changes(ValkeySpec(), ValkeySpec(mode="cluster", databases=8, replicas=1))
    assert {(fault.pointer, fault.code) for fault in faults} == {
        ("/spec/mode", "immutable"),
        ("/spec/databases", "grows_only"),
    }


def test_a_changed_login_is_loaded_anew_and_a_raised_rotation_makes_a_new_password() -> None:
    before = DRIVER.render(view())
    rotated = DRIVER.render(view(children=(child("users", "admin", 2, main=True, access="admin", rotation=1),)))
    assert {run.key for run in before.runs} ^ {run.key for run in rotated.runs}
    assert [secret.rotation for secret in rotated.secrets] == [0, 0, 0, 1]
    narrower = DRIVER.render(view(children=(*first_children(), child("users", "app", 3, keys=("a:*",)))))
    wider = DRIVER.render(view(children=(*first_children(), child("users", "app", 3, keys=("b:*",)))))
    assert {run.key for run in narrower.runs} ^ {run.key for run in wider.runs}


# ---- money, backups, ways in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "spec", "count"),
    [
        ("dev-1", ValkeySpec(), 1),
        ("dev-1", REPLICATED, 3),
        ("dev-1", CLUSTER, 3),
        ("ha-8", ValkeySpec(), 2),
        ("ha-8", ValkeySpec(replicas=0), 1),
    ],
)
def test_each_node_is_billed_and_has_its_memory(size: str, spec: ValkeySpec, count: int) -> None:
    rates = OFFERING.billed(plan(size), spec)
    assert rates["instance-seconds"] == count
    assert rates["storage-gib-seconds"] == plan(size).disk_gib * count
    limits = DRIVER.render(view(plan=plan(size), spec=spec)).limits
    assert limits.memory_mib >= plan(size).memory_mib * count


def test_a_backup_is_made_once_checked_and_kept_until_it_is_deleted() -> None:
    queued = child("backups", "b", 3)
    for spec in (ValkeySpec(), CLUSTER):
        of = view(spec=spec, children=(queued,))
        runs = {run.key: run for run in DRIVER.render(of).runs if run.lane == "backup"}
        assert runs[queued.key].once
        assert runs[queued.key].artifact == backups.artifact(of, queued)
        assert [run for run in runs.values() if run.argv[0].endswith("/valkey-check-rdb")]
    done = dataclasses.replace(queued, state="succeeded", facts={"artifact": "x/dump.rdb"})
    assert DRIVER.render(view(children=(done,))).keep_artifacts == ("x/dump.rdb",)
    assert DRIVER.render(view(children=(dataclasses.replace(done, deleting=True),))).keep_artifacts == ()


@pytest.mark.parametrize(("kind", "lands_in"), [("aof", "appendonly.aof.1.base.rdb"), ("rdb", "1/dump.rdb")])
def test_a_backup_lands_where_the_engine_reads_it(kind: str, lands_in: str) -> None:
    origin = Origin("otherservice", "backups", uuid.UUID(int=9), {"artifact": "x-1/dump.rdb"})
    spec = ValkeySpec.model_validate({"persistence": kind})
    unit = DRIVER.render(view(origin=origin, spec=spec))
    assert [(entry.handle, entry.path) for entry in unit.inputs] == [("otherservice", "x-1/dump.rdb")]
    copied = [command for command in unit.prepare if command.argv[0] == "/usr/bin/cp"]
    assert [command.argv[2].endswith(lands_in) for command in copied] == [True]
    assert DRIVER.render(view(origin=origin, spec=spec, facts={"release": "9.1.2"})).inputs == ()


def test_each_login_gets_uri_environment_and_code_with_placeholders_alone() -> None:
    parts = (*first_children(), child("users", "app", 4), child("users", "gone", 6, deleting=True))
    facts = {"endpoints": [{"port": 20123, "usage": "primary"}, {"port": 20124, "usage": "replica"}]}
    main, app = DRIVER.connect(view(children=parts, facts=facts, spec=REPLICATED))
    secret = f"{{{{secret:user-{uuid.UUID(int=2).hex}.password}}}}"
    assert (main.username, main.main, app.username, app.main) == ("admin", True, "app", False)
    assert main.uri == f"rediss://{{{{username}}}}:{secret}@localhost:20123/0"
    labels = [snippet.label for snippet in main.snippets]
    assert labels == ["valkey-cli", "Python", "Node.js", "Go", "Spring Boot", "Django"]
    clustered = DRIVER.connect(view(facts=facts, spec=CLUSTER))[0].snippets
    assert [snippet.label for snippet in clustered] == labels[:-1]
    assert all(secret in snippet.code for snippet in main.snippets)
    assert not [snippet for snippet in (*main.snippets, *clustered) if re.search(r"%\(|%%", snippet.code)]
    assert DRIVER.connect(view()) == ()


def _placeholders(unit: Unit) -> set[str]:
    text = json.dumps(codec.unit_to_json(unit))
    return {f"{match[1]}:{match[2]}" if match[2] else match[1] for match in render._PLACEHOLDER.finditer(text)}
