"""Disks of storage nodes come, go and are lost while clients work: no client notices, nothing is lost."""
import shutil

import pytest
from conftest import wait_until
from storage_nodes import all_equal
from writers import Writers, some_puts

NODES = ("storage-1", "storage-2", "storage-3")


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="disks")
    return "disks"


def disks(cluster, node):
    """Path to row of `disk list`."""
    return {disk["path"]: disk for disk in cluster.adm("disk", "list", node)["disks"]}


def path(cluster, node, number):
    return str(cluster.folder / "data" / node / f"disk-{number}")


def wait_for_moves(cluster, node):
    """All slots are where they should be, and nothing is left to be dropped."""
    def done():
        report = cluster.adm("disk", "list", node)
        assert report["moves"].get("reason") is None, report
        return report["moves"]["slots_left"] == 0 and report["moves"]["state"] == "idling"
    wait_until(f"{node} to have moved its slots", done, 120)


def test_a_disk_is_added_to_every_node_under_load(cluster, bucket):
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers, 60)
        for node in NODES:
            weight = disks(cluster, node)[path(cluster, node, 1)]["weight"]
            cluster.adm("disk", "add", node, path(cluster, node, 2), "--weight", str(weight))
        for node in NODES:
            wait_for_moves(cluster, node)
        some_puts(writers)
    assert writers.errors == [], "a client saw an error"
    assert writers.wrong == []
    for node in NODES:
        assert [disk["slots"] for disk in disks(cluster, node).values()] == [128, 128]
        assert {disk["state"] for disk in disks(cluster, node).values()} == {"running"}
    assert writers.verify(cluster.s3()) == []


def test_a_disk_is_drained_under_load_and_taken_out(cluster, bucket):
    node, old = "storage-1", path(cluster, "storage-1", 1)
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers)
        cluster.adm("disk", "drain", node, old)
        wait_until("the disk to be retired", lambda: disks(cluster, node)[old]["state"] == "retired", 120)
        shutil.rmtree(old)
        some_puts(writers)
        cluster.kill(node)
        some_puts(writers)
        cluster.release(node)
        some_puts(writers)
    assert writers.errors == [], "a client saw an error"
    assert writers.wrong == []
    assert disks(cluster, node)[path(cluster, node, 2)]["slots"] == 256
    assert writers.verify(cluster.s3()) == []


def test_a_wiped_disk_is_replaced_under_load(cluster, bucket):
    node, lost = "storage-2", path(cluster, "storage-2", 2)
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers, 60)
        cluster.kill(node)
        shutil.rmtree(lost)
        (cluster.folder / "run" / f"{node}.hold").unlink()
        wait_until(f"{node} to serve with its other disk", lambda: state_of(cluster, node, lost) == "failed", 30)
        assert not cluster.healthy(node, "ready")
        some_puts(writers)
        (cluster.folder / "data" / node / "disk-2").mkdir()
        cluster.adm("disk", "replace", node, lost)
        assert disks(cluster, node)[lost]["doubtful_slots"] == 128
        assert disks(cluster, node)[path(cluster, node, 1)]["doubtful_slots"] == 0
        some_puts(writers)
        wait_until("the replaced disk to vote again", lambda: disks(cluster, node)[lost]["doubtful_slots"] == 0, 120)
        some_puts(writers)
    assert writers.errors == [], "a client saw an error"
    assert writers.wrong == []
    assert writers.verify(cluster.s3()) == []


def state_of(cluster, node, disk):
    try:
        return disks(cluster, node)[disk]["state"]
    except AssertionError:
        return None


def test_all_replicas_are_equal_at_the_end(cluster, bucket):
    wait_until("equal digests of all replicas", lambda: all_equal(cluster, NODES, 120), 180, 1)
