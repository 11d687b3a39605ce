"""``manage.py devcluster``: what it starts stays, is found again, and goes without a trace of its processes."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kubernetes import client as official
from kubernetes import config

from tests.cluster.devcluster import Running

pytestmark = pytest.mark.engine


def _devcluster(what: str, directory: Path) -> str:
    command = [sys.executable, "-m", "tests.cluster.devcluster", what, "--directory", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_stays_until_it_is_taken_down(tmp_path: Path) -> None:
    directory = tmp_path / "cluster"
    running = Running(directory)
    try:
        lines = _devcluster("up", directory)
        first = running.alive()
        kubeconfig = directory / "admin.kubeconfig"
        assert f"addcluster dev --kubeconfig {kubeconfig} --region dev" in lines
        assert {"etcd", "kube-apiserver", "kube-controller-manager"} <= set(first)
        with config.new_client_from_config_dict(yaml.safe_load(kubeconfig.read_text())) as client:
            [storage] = official.StorageV1Api(client).list_storage_class().items
            assert storage.metadata.annotations == {"storageclass.kubernetes.io/is-default-class": "true"}
            groups = {group.name for group in official.ApisApi(client).get_api_versions().groups}
            assert {"postgresql.cnpg.io", "valkey.io"} <= groups

        assert _devcluster("up", directory) == lines
        assert running.alive() == first, "a second up starts nothing"
    finally:
        _devcluster("down", directory)

    assert not running.alive()
    assert not (directory / "pids.json").exists()
    assert kubeconfig.stat().st_mode & 0o077 == 0
