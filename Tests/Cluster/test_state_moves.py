"""The cluster's state moves from the file of one manager to etcd while clients work, and a backup of it is restored."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from conftest import wait_until
from writers import Writers, undisturbed

CLUSTER_OPTIONS = ["--nodes", "1", "--replicas", "1"]

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed: apt-get install etcd-server")


@pytest.fixture
def processes():
    """Processes of a test; ended with it."""
    running = []
    yield running
    for process in running:
        process.kill()
        process.wait()


def start_etcd(cluster, processes):
    """Three members, at ports of the cluster that nothing uses; their client addresses."""
    first = cluster.port_base + 100
    peers = ",".join(f"m{i}=http://127.0.0.1:{first + 10 + i}" for i in range(3))
    for i in range(3):
        client, peer = f"http://127.0.0.1:{first + i}", f"http://127.0.0.1:{first + 10 + i}"
        processes.append(subprocess.Popen(
            ["etcd", "--name", f"m{i}", "--data-dir", str(cluster.folder / f"etcd-m{i}"), "--initial-cluster", peers,
             "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
             "--initial-advertise-peer-urls", peer, "--logger", "zap"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    return [f"http://127.0.0.1:{first + i}" for i in range(3)]


def stop_manager(cluster):
    """Gracefully, and it stays down."""
    (cluster.folder / "run" / "manager.hold").touch()
    pid = cluster.pid("manager")
    os.kill(pid, signal.SIGTERM)
    wait_until("the manager to stop", lambda: cluster.pid("manager") != pid)


def offline(cluster, *arguments):
    return subprocess.run([cluster.program("manager"), *map(str, arguments)], capture_output=True, text=True, timeout=60)


def users(cluster, admin=None):
    arguments = ["get-users"] + (["--admin", str(admin)] if admin else [])
    return sorted(u["user_id"] for u in cluster.adm(*arguments)["users"])


def test_backup_is_restored_in_an_empty_store_only(cluster, tmp_path, processes):
    made = cluster.adm("create-user", "kept")
    backup = tmp_path / "state.json"
    cluster.adm("state", "backup", str(backup))
    cluster.adm("create-user", "after-the-backup")
    assert made["secret_access_key"] not in backup.read_text() and made["access_key_id"].encode() not in backup.read_bytes()
    data = tmp_path / "manager"
    data.mkdir(0o700)
    settings = ["--set", f"node.data={data}", "--set", "node.name=manager"]
    refused = offline(cluster, "restore-state", backup, *settings)
    assert refused.returncode == 1 and "master-key is missing" in refused.stderr, refused
    (data / "master-key").write_text("00" * 32 + "\n")
    refused = offline(cluster, "restore-state", backup, *settings)
    assert refused.returncode == 1 and "not the master key" in refused.stderr, refused
    shutil.copy(cluster.folder / "data" / "manager" / "master-key", data)
    done = offline(cluster, "restore-state", backup, *settings)
    assert done.returncode == 0, done
    again = offline(cluster, "restore-state", backup, *settings)
    assert again.returncode == 1 and "not empty" in again.stderr, again
    # The cluster goes on with it: a manager on the restored state opens the secrets.
    processes.append(subprocess.Popen([cluster.program("manager"), *settings], stderr=subprocess.DEVNULL))
    wait_until("the restored manager", (data / "admin.toml").exists)
    wait_until("it to answer", lambda: subprocess.run(
        [cluster.program("adm"), "status", "--admin", str(data / "admin.toml")], capture_output=True, env=cluster.env).returncode == 0)
    assert users(cluster, data / "admin.toml") == sorted(set(users(cluster)) - {"after-the-backup"})


def test_state_moves_to_etcd_while_clients_work(cluster, processes):
    config = cluster.folder / "config" / "manager.toml"
    cluster.s3().create_bucket(Bucket="moving")
    before = cluster.adm("create-user", "before-the-move")
    with Writers(cluster, "moving", threads=2, sizes=(100, 4096)) as clients:
        endpoints = start_etcd(cluster, processes)
        text = config.read_text().replace("[manager]", f"[manager]\netcd_endpoints = {json.dumps(endpoints)}")
        config.write_text(text)
        in_use = offline(cluster, "migrate-store", "--config", config)
        assert in_use.returncode == 73, in_use
        stop_manager(cluster)
        moved = offline(cluster, "migrate-store", "--config", config)
        assert moved.returncode == 0, moved
        refused = offline(cluster, "--config", config)
        assert refused.returncode == 1 and "has moved to etcd" in refused.stderr, refused
        again = offline(cluster, "migrate-store", "--config", config)
        assert again.returncode == 1 and "used already" in again.stderr, again
        config.write_text(text.replace("[manager]", '[manager]\nstore = "etcd"'))
        cluster.release("manager")
        undisturbed(clients)
        # What the gateway gets to know is newer than what it knew: it follows.
        cluster.s3().create_bucket(Bucket="after-the-move")
        assert "before-the-move" in users(cluster)

        second = cluster.folder / "data" / "manager-2"
        second.mkdir(0o700)
        shutil.copy(cluster.folder / "data" / "manager" / "master-key", second)
        processes.append(subprocess.Popen(
            [cluster.program("manager"), "--set", f"node.data={second}", "--set", "node.name=manager-2",
             "--set", "manager.store=etcd", "--set", "manager.etcd_endpoints=" + ",".join(endpoints)],
            stderr=subprocess.DEVNULL))
        wait_until("the tools to know the second manager", lambda: "manager-2" in pathlib.Path(cluster.env["MARTLET_ADMIN"]).read_text())
        cluster.kill("manager")
        cluster.s3().create_bucket(Bucket="by-the-second-manager")
        assert {"before-the-move", "demo"} <= set(users(cluster))
        undisturbed(clients)
        cluster.release("manager")
    assert before["access_key_id"]
