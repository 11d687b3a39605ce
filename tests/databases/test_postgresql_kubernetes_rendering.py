"""What a PostgreSQL on Kubernetes asks CloudNativePG for."""

import dataclasses
from decimal import Decimal

import pytest

from apps.databases.offerings.postgresql import OFFERING
from apps.databases.offerings.postgresql.kubernetes.cluster import cpu, memory
from apps.databases.offerings.postgresql.spec import PostgresqlSpec
from portal.core.drivers import Origin
from portal.core.drivers.kubernetes import KEEP, ClusterSecret
from tests.databases.conftest import child, first_children
from tests.databases.kubernetes import DRIVER, HA, cluster, on_kubernetes, rendered, running


def test_one_node_is_a_cluster_of_one_that_is_nowhere_spread() -> None:
    spec = cluster(on_kubernetes())["spec"]
    assert spec["instances"] == 1
    assert spec["resources"]["requests"] == spec["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    assert spec["storage"] == {"size": "20Gi", "storageClass": "fast"}
    assert spec["primaryUpdateMethod"] == "restart"
    assert spec["enableSuperuserAccess"] is False
    assert "affinity" not in spec
    assert "synchronous" not in spec["postgresql"]


def test_a_plan_for_high_availability_stands_in_three_zones_and_commits_on_two() -> None:
    spec = cluster(on_kubernetes(plan=HA))["spec"]
    assert spec["instances"] == 3
    assert spec["affinity"] == {
        "enablePodAntiAffinity": True,
        "podAntiAffinityType": "required",
        "topologyKey": "topology.kubernetes.io/zone",
    }
    assert spec["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "preferred"}
    assert spec["primaryUpdateMethod"] == "switchover"


def test_the_engine_comes_from_the_regions_catalog_else_from_its_own_image() -> None:
    assert cluster(on_kubernetes("16.14"))["spec"]["imageName"] == "ghcr.io/cloudnative-pg/postgresql:16.14"
    catalog = cluster(on_kubernetes("16.14", settings={"postgresql_image_catalog": "ring-1"}))["spec"]
    assert "imageName" not in catalog
    assert catalog["imageCatalogRef"] == {
        "apiGroup": "postgresql.cnpg.io",
        "kind": "ClusterImageCatalog",
        "name": "ring-1",
        "major": 16,
    }


def test_settings_are_those_of_a_local_service_without_what_the_operator_sets() -> None:
    asked = PostgresqlSpec(work_mem_mib=32, log_min_duration_statement_ms=250, timezone="Europe/Vienna", disk_gib=50)
    spec = cluster(on_kubernetes(spec=asked))["spec"]
    parameters = spec["postgresql"]["parameters"]
    assert parameters["work_mem"] == "32MB"
    assert parameters["log_min_duration_statement"] == "250"
    assert parameters["timezone"] == "Europe/Vienna"
    assert parameters["jit"] == "off"
    assert spec["storage"]["size"] == "50Gi"
    assert all(isinstance(value, str) for value in parameters.values())
    fixed = {"port", "ssl", "listen_addresses", "hba_file", "log_destination", "logging_collector", "ssl_cert_file"}
    blocked = {
        "shared_preload_libraries",
        "allow_alter_system",
        "wal_level",
        "max_wal_senders",
        "unix_socket_directories",
    }
    assert not set(parameters) & (fixed | blocked)


def test_a_disk_never_shrinks() -> None:
    view = running(on_kubernetes(spec=PostgresqlSpec(disk_gib=50)))
    assert cluster(dataclasses.replace(view, spec=PostgresqlSpec()))["spec"]["storage"]["size"] == "50Gi"
    assert cluster(dataclasses.replace(view, spec=PostgresqlSpec(disk_gib=70)))["spec"]["storage"]["size"] == "70Gi"


@pytest.mark.parametrize(("cores", "text"), [("0.5", "500m"), ("2", "2"), ("1.5", "1500m")])
def test_cores_are_written_as_kubernetes_writes_them(cores: str, text: str) -> None:
    assert cpu(Decimal(cores)) == text
    assert (memory(2048), memory(512)) == ("2Gi", "512Mi")


def test_stop_and_restart_are_annotations_that_follow_from_numbers() -> None:
    view = running(on_kubernetes())
    first = cluster(view)["metadata"]["annotations"]
    assert first == {"cnpg.io/hibernation": "off"}
    stopped = cluster(dataclasses.replace(view, running=False))["metadata"]["annotations"]
    assert stopped == {"cnpg.io/hibernation": "on"}
    again = cluster(dataclasses.replace(view, restarts=2))["metadata"]["annotations"]
    assert again["kubectl.kubernetes.io/restartedAt"] == "2026-01-01T00:00:02+00:00"
    assert cluster(dataclasses.replace(view, running=False))["spec"] == cluster(view)["spec"]


def test_what_never_served_is_taken_away_by_a_stop_and_what_did_stays() -> None:
    assert DRIVER.render(on_kubernetes(running=False)) == []
    assert rendered(dataclasses.replace(running(on_kubernetes()), running=False), "Cluster")


def test_logins_are_roles_of_a_group_whose_password_the_operator_reads() -> None:
    users = (child("users", "admin", 2, main=True), child("users", "report", 3, access="read", connection_limit=4))
    view = on_kubernetes(children=users)
    admin, report = (role["spec"] for role in rendered(view, "DatabaseRole"))
    assert admin["inRoles"][0] == "owner"
    assert report["inRoles"] == ["pg_read_all_data"]
    assert (admin["connectionLimit"], report["connectionLimit"]) == (-1, 4)
    made = [item for item in DRIVER.render(view) if isinstance(item, ClusterSecret)]
    assert [secret.plain for secret in made] == [{"username": "admin"}, {"username": "report"}]
    assert {secret.type for secret in made} == {"kubernetes.io/basic-auth"}
    assert all(secret.labels == {"cnpg.io/reload": "true"} for secret in made)
    assert admin["passwordSecret"] == {"name": f"{view.handle}-{made[0].name}"}
    assert not [role for role in (admin, report) if role.get("superuser") or role.get("createrole")]


def test_a_login_that_goes_is_locked_and_a_database_that_goes_is_dropped() -> None:
    going = (child("users", "old", 3, deleting=True), child("databases", "shop", 4, deleting=True))
    view = on_kubernetes(children=(*first_children(), *going))
    old = rendered(view, "DatabaseRole")[1]["spec"]
    assert (old["login"], old["inRoles"], old["disablePassword"]) == (False, [], True)
    assert "passwordSecret" not in old
    assert rendered(view, "Database")[1]["spec"]["ensure"] == "absent"
    kept = [item["spec"] for item in (*rendered(view, "Database"), *rendered(view, "DatabaseRole"))]
    policies = {spec.get("databaseReclaimPolicy") or spec.get("databaseRoleReclaimPolicy") for spec in kept}
    assert policies == {"retain"}, "the end of a service waits for no PostgreSQL, which may be stopped"


def test_the_cluster_goes_before_its_databases_and_users() -> None:
    """Objects go in the reverse order: those of a cluster that is gone are let go by the operator."""
    kinds = [item["kind"] for item in DRIVER.render(on_kubernetes()) if isinstance(item, dict)]
    assert kinds.index("Cluster") > max(kinds.index("DatabaseRole"), kinds.index("Database"))
    assert kinds[:2] == ["ObjectBucketClaim", "ObjectStore"]


def test_the_allow_list_is_kept_by_the_engine_and_plain_connections_are_refused() -> None:
    assert cluster(on_kubernetes())["spec"]["postgresql"]["pg_hba"] == ["hostnossl all all all reject"]
    listed = on_kubernetes(allow_list=("192.0.2.0/24", "2001:db8::/32"))
    assert cluster(listed)["spec"]["postgresql"]["pg_hba"] == [
        "hostssl all all 192.0.2.0/24 scram-sha-256",
        "hostssl all all 2001:db8::/32 scram-sha-256",
        "host all all all reject",
    ]
    pooled = dataclasses.replace(listed, spec=PostgresqlSpec(pooler="session"))
    assert cluster(pooled)["spec"]["postgresql"]["pg_hba"][0].startswith("hostssl all all ${podselector:pooler}")
    assert rendered(pooled, "Pooler")[0]["spec"]["pgbouncer"]["pg_hba"][-1] == "host all all all reject"


def test_a_pooler_is_asked_for_and_its_name_stands_in_the_certificate() -> None:
    assert not rendered(on_kubernetes(), "Pooler")
    view = on_kubernetes(spec=PostgresqlSpec(pooler="transaction"))
    pooler = rendered(view, "Pooler")[0]["spec"]
    assert (pooler["type"], pooler["instances"], pooler["pgbouncer"]["poolMode"]) == ("rw", 2, "transaction")
    names = cluster(view)["spec"]["certificates"]["serverAltDNSNames"]
    assert f"{view.handle}-pooler.prj-1.svc" in names
    plan = OFFERING.default_plan
    more = OFFERING.footprint(plan, view.spec).vcpu - OFFERING.footprint(plan, PostgresqlSpec()).vcpu
    assert more == Decimal("0.2")


def test_a_public_name_is_a_load_balancer_that_only_the_listed_networks_reach() -> None:
    assert not rendered(on_kubernetes(), "Service")
    view = on_kubernetes(settings={"public_domain": "db.example.eu"}, allow_list=("192.0.2.0/24",))
    service, policy = rendered(view, "Service")[0], rendered(view, "NetworkPolicy")[0]["spec"]
    assert service["metadata"]["annotations"] == {
        "external-dns.alpha.kubernetes.io/hostname": "abcdefghijkl.db.example.eu"
    }
    assert service["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert policy["ingress"][0]["from"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]
    assert cluster(view)["spec"]["certificates"]["serverAltDNSNames"] == ["abcdefghijkl.db.example.eu"]
    everybody = rendered(dataclasses.replace(view, allow_list=()), "NetworkPolicy")[0]["spec"]
    assert len(everybody["ingress"][0]["from"]) == 2


def test_backups_go_into_a_bucket_of_its_own_that_no_change_of_settings_takes_away() -> None:
    view = on_kubernetes(children=(*first_children(), child("backups", "b-1", 3)))
    claim, store = rendered(view, "ObjectBucketClaim")[0], rendered(view, "ObjectStore")[0]
    assert claim["spec"]["bucketName"] == f"{view.handle}-backups"
    assert store["spec"]["configuration"]["destinationPath"] == f"s3://{view.handle}-backups/"
    assert store["spec"]["retentionPolicy"] == "3d"
    assert "serverName" not in store["spec"]["configuration"]
    assert claim["metadata"]["annotations"] == store["metadata"]["annotations"] == {KEEP: "true"}
    nightly = rendered(view, "ScheduledBackup")[0]["spec"]
    assert len(nightly["schedule"].split()) == 6
    assert nightly["schedule"].split()[0] == "0"
    assert nightly["method"] == rendered(view, "Backup")[0]["spec"]["method"] == "plugin"
    assert cluster(view)["spec"]["plugins"][0]["isWALArchiver"] is True


def test_a_region_without_a_store_runs_without_the_plugin() -> None:
    view = on_kubernetes(settings={}, children=(*first_children(), child("backups", "b-1", 3)))
    assert "plugins" not in cluster(view)["spec"]
    assert not [item for item in DRIVER.render(view) if isinstance(item, dict) and "ackup" in item["kind"]]
    assert "storageClass" not in cluster(view)["spec"]["storage"]


def test_a_backup_is_an_object_for_each_try_and_a_cancelled_one_is_taken_away() -> None:
    rows = [
        child("backups", "one", 3),
        child("backups", "again", 4, generation=2),
        child("backups", "done", 5, state="succeeded"),
        child("backups", "failed", 6, state="failed"),
        child("backups", "cancelled", 7, cancelled=True),
        child("backups", "going", 8, deleting=True),
    ]
    view = on_kubernetes(children=tuple(rows))
    names = {item["metadata"]["name"] for item in rendered(view, "Backup")}
    assert names == {f"{view.handle}-{rows[at].id.hex}-{rows[at].generation}" for at in (0, 1, 2)}


def test_a_service_that_is_born_from_a_backup_reads_the_others_store_and_writes_its_own() -> None:
    backup = child("backups", "b-1", 9)
    origin = Origin("zyxwvutsrqpo", "backups", backup.id, {"backup_id": "20261125T013000"})
    spec = cluster(on_kubernetes(origin=origin))["spec"]
    assert "initdb" not in spec["bootstrap"]
    assert spec["bootstrap"]["recovery"] == {
        "source": "origin",
        "database": "defaultdb",
        "owner": "owner",
        "recoveryTarget": {"backupID": "20261125T013000", "targetImmediate": True},
    }
    moment = Origin("zyxwvutsrqpo", "", backup.id, {"time": "2026-11-25T09:15:00Z"})
    to_moment = cluster(on_kubernetes(origin=moment))["spec"]["bootstrap"]["recovery"]
    assert to_moment["recoveryTarget"] == {"targetTime": "2026-11-25T09:15:00Z"}
    other = spec["externalClusters"][0]["plugin"]["parameters"]
    assert other == {"barmanObjectName": "zyxwvutsrqpo", "serverName": "zyxwvutsrqpo"}
    assert spec["plugins"][0]["parameters"] == {"barmanObjectName": "abcdefghijkl"}


def test_the_collation_is_that_of_a_local_service() -> None:
    new, old = (cluster(on_kubernetes(release))["spec"]["bootstrap"]["initdb"] for release in ("17.10", "14.23"))
    assert (new["localeProvider"], new["builtinLocale"]) == ("builtin", "C.UTF-8")
    assert (old["localeCollate"], old["localeCType"]) == ("C.UTF-8", "C.UTF-8")
    assert "REVOKE CREATE ON SCHEMA public FROM PUBLIC" in old["postInitTemplateSQL"]
    assert "REVOKE CREATE ON SCHEMA public FROM PUBLIC" not in new["postInitTemplateSQL"]


def test_a_cluster_needs_the_kinds_of_a_store_only_where_its_settings_name_one() -> None:
    store = {"ObjectStore", "ObjectBucketClaim"}
    assert store.isdisjoint(kind.kind for kind in DRIVER.needs({"bucket_class": "retain"}))
    assert store < {kind.kind for kind in DRIVER.needs({"bucket_class": "retain", "s3_endpoint": "https://s3.example"})}
