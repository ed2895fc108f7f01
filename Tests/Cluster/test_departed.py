"""Nodes give back the space of what a change of the ring took away from them, and hold it again when it comes back."""
import hashlib
import os
import subprocess

import pytest
from conftest import wait_until

CLUSTER_OPTIONS = [option for setting in [
    "manager.partitions=32", "storage.segment_size=4MiB", "storage.departed_patience=1s",
    "storage.compaction_rate=1GiB", "repair.rate_objects_per_second=10000"] for option in ("--set", setting)]
OLD = ["storage-1", "storage-2", "storage-3"]
MIB = 1 << 20
SIZES = [30_000, 2 * MIB]
OBJECTS = 120


def body(number):
    return hashlib.shake_128(str(number).encode()).digest(SIZES[number % 6 == 0])


@pytest.fixture(scope="module")
def fourth(cluster):
    """A storage node beyond those that the cluster was made with."""
    port = cluster.port_base + 100
    text = (cluster.folder / "config" / "storage-3.toml").read_text()
    for offset in (0, 1, 3):
        text = text.replace(f"127.0.0.1:{cluster.port_base + 70 + offset}\"", f"127.0.0.1:{port + offset}\"")
    config = cluster.folder / "config" / "storage-4.toml"
    config.write_text(text.replace("storage-3", "storage-4"))
    with open(cluster.folder / "log" / "storage-4.log", "ab") as log:
        process = subprocess.Popen(
            [cluster.program("storage"), "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=os.environ | cluster.env)
    states = lambda: {node["node"]: node["state"] for node in cluster.adm("status")["node_list"]}
    wait_until("storage-4 to attach", lambda: states().get("storage-4") == "attached", 30)
    yield "storage-4"
    process.terminate()
    process.wait(120)


def active(cluster, node):
    return sum(disk["active_size"] for disk in cluster.adm("du", node)["disks"])


def total(cluster, node):
    if cluster.adm("compact-status", node)["compaction_status"]["status"] == "idling":
        cluster.adm("compact-start", node, "all")
    return sum(disk["total_size"] for disk in cluster.adm("du", node)["disks"])


def rebalance(cluster):
    cluster.adm("rebalance")
    wait_until("the plan to be done", lambda: cluster.adm("rebalance-status")["phase"] == "done", 90, 0.5)


def assert_whole(cluster):
    s3 = cluster.s3()
    assert len(s3.list_objects_v2(Bucket="box")["Contents"]) == OBJECTS
    for number in range(OBJECTS):
        assert s3.get_object(Bucket="box", Key=f"key {number}")["Body"].read() == body(number), number


def test_space_comes_back_when_nodes_come_and_go(cluster, fourth):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="box")
    for number in range(OBJECTS):
        s3.put_object(Bucket="box", Key=f"key {number}", Body=body(number))
    content = sum(len(body(number)) for number in range(OBJECTS))
    assert all(active(cluster, node) >= content for node in OLD)
    rebalance(cluster)
    # Three copies on four nodes; a chunk may still be on its way to the garbage of the log.
    wait_until("active bytes of three copies on four nodes", lambda: (
        sum(active(cluster, node) for node in [*OLD, fourth]) < 3 * content + 2 * MIB), 60, 0.5)
    assert_whole(cluster)
    # Partitions without content have nothing to drop.
    assert sum(cluster.metric(node, "martlet_storage_departed_partitions_total") for node in OLD) > 12
    moved = active(cluster, fourth)
    assert moved > 8 * MIB
    wait_until("the files to be smaller", lambda: (
        sum(total(cluster, node) for node in OLD) < 3 * content - 0.7 * moved), 60, 1)
    # A node that is killed in the middle of it goes on after its start; one that gets a partition back has it whole.
    cluster.adm("detach", fourth)
    rebalance(cluster)
    for node in OLD:
        cluster.kill(node, hold=False)
        wait_until(f"{node} to be back", lambda: cluster.healthy(node, "ready"), 60)
    assert_whole(cluster)
    assert all(content <= active(cluster, node) < content + MIB for node in OLD)
