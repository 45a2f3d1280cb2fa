"""The local control plane is a real one, private, and leaves nothing behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.kube import Kube, KubeError, wait_for
from weir import cli
from weir.edges.local_cluster import LocalCluster, running_cluster
from weir.edges.local_cluster.layout import free_ports
from weir.spec.errors import ClusterError

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "registry.example.test/web:1",
                        "resources": {"requests": {"cpu": "8", "memory": "64Gi", "ephemeral-storage": "6Gi"}},
                    }
                ]
            },
        },
    },
}


def processes_of(folder: Path) -> list[psutil.Process]:
    return [p for p in psutil.process_iter() if mentions(p, folder)]


def mentions(process: psutil.Process, folder: Path) -> bool:
    try:
        name = process.name()
        return name in {"etcd", "kubernetes", "kwok"} and any(
            str(folder) in part for part in process.cmdline()
        )
    except psutil.Error:
        return False


def test_a_deployment_becomes_available(kube: Kube, namespace: str) -> None:
    kube.apply({**DEPLOYMENT, "metadata": {"name": "web", "namespace": namespace}})
    wait_for(lambda: available(kube, namespace) == 2)
    assert kube.delete("apps/v1", "Deployment", "web", namespace)
    wait_for(lambda: not kube.list("v1", "Pod", namespace))


def available(kube: Kube, namespace: str) -> int:
    live = kube.get("apps/v1", "Deployment", "web", namespace) or {}
    count: int = live.get("status", {}).get("availableReplicas", 0)
    return count


def test_roles_are_enforced_for_service_accounts(kube: Kube, kubeconfig: Path, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = kube.request("POST", path, request)["status"]["token"]
    with pytest.raises(KubeError, match=f"system:serviceaccount:{namespace}:default") as refusal:
        Kube(kubeconfig, token).list("v1", "Secret", namespace)
    assert refusal.value.status == 403


def test_admission_policies_are_served(kube: Kube) -> None:
    assert isinstance(kube.list("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"), list)


def test_a_namespace_is_deleted_with_its_content(kube: Kube, namespace: str) -> None:
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": namespace}})
    kube.delete("v1", "Namespace", namespace)
    wait_for(lambda: kube.get("v1", "Namespace", namespace) is None)


def test_the_api_server_goes_and_comes_back_at_the_same_address(
    control_plane: LocalCluster, kube: Kube
) -> None:
    identity = kube.get("v1", "Namespace", "kube-system")
    address = control_plane.server
    control_plane.stop_apiserver()
    try:
        with pytest.raises(OSError, match="refused"):
            kube.get("v1", "Namespace", "kube-system")
    finally:
        control_plane.start_apiserver()
    assert control_plane.server == address
    assert kube.get("v1", "Namespace", "kube-system") == identity


def test_everything_in_the_folder_is_private(control_plane: LocalCluster) -> None:
    root = control_plane.layout.root
    shared = [path for path in [root, *root.rglob("*")] if path.lstat().st_mode & 0o077]
    assert shared == []


def test_up_status_and_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cluster"
    assert cli.main(["cluster", "status", "--dir", str(folder)]) == 1
    command = [sys.executable, "-m", "weir.cli", "cluster", "up", "--dir", str(folder)]
    try:
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        assert len(processes_of(folder)) == 5
        assert Kube(folder / "kubeconfig").get("v1", "Node", "node-1")
        before = {process.pid for process in processes_of(folder)}
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        assert {process.pid for process in processes_of(folder)} == before
        assert cli.main(["cluster", "status", "--dir", str(folder)]) == 0
        assert str(folder / "kubeconfig") in capsys.readouterr().out
    finally:
        assert cli.main(["cluster", "down", "--dir", str(folder)]) == 0
    assert processes_of(folder) == []
    assert not folder.exists()


def test_the_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    script = (
        "import sys, time, pathlib\n"
        "from weir.edges.local_cluster import running_cluster\n"
        "with running_cluster(pathlib.Path(sys.argv[1])):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        assert len(processes_of(folder)) == 5
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not processes_of(folder), seconds=5)


def test_a_foreign_folder_is_neither_used_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for action in (LocalCluster(tmp_path).start, LocalCluster(tmp_path).stop):
        with pytest.raises(ClusterError, match="not a local cluster's"):
            action()
    assert (tmp_path / "thesis.txt").exists()


def test_a_process_that_got_an_old_pid_is_not_touched(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "cluster")
    cluster.layout.create()
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        started = psutil.Process(stranger.pid).create_time()
        for when in (started, started - 1000):
            cluster.layout.write("etcd.pid", f'{{"pid": {stranger.pid}, "started": {when}}}')
            assert not cluster.running()["etcd"]
        cluster.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_a_process_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "cluster", tied=True)
    cluster.layout.create()
    cluster.layout.write("etcd", "a file where a folder should be")
    start = time.monotonic()
    with pytest.raises(ClusterError, match=r"(?s)etcd ended with code \d+; its log ends with.*etcd"):
        cluster.start()
    assert time.monotonic() - start < 30
    assert processes_of(tmp_path) == []
    cluster.stop()


def test_a_taken_port_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    with socket.socket() as squatter:
        port = free_ports(1)[0]
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        cluster = LocalCluster(folder, tied=True)
        cluster.layout.create()
        api, peer = free_ports(2)
        cluster.layout.write("ports.json", f'{{"api": {api}, "etcd": {port}, "peer": {peer}}}')
        try:
            cluster.start()
            assert cluster.layout.ports()["etcd"] != port
        finally:
            cluster.stop()


def test_a_with_block_ends_clean_after_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    with pytest.raises(KeyError), running_cluster(folder) as cluster:
        fail_inside(cluster)
    assert processes_of(folder) == []
    assert not folder.exists()


def fail_inside(cluster: LocalCluster) -> None:
    assert all(cluster.running().values())
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600
    raise KeyError
