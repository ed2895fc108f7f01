"""A storage node loses records of its log: it abstains, is healed by the repair process, and votes again."""
import os
import shutil

import pytest
from conftest import wait_until
from storage_nodes import all_equal
from writers import Writers, some_puts

NODES = ("storage-1", "storage-2", "storage-3")


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="memory")
    return "memory"


def doubtful_slots(cluster, node):
    """None while the node does not answer."""
    try:
        return sum(disk.get("doubtful_slots", 0) for disk in cluster.adm("disk", "list", node)["disks"])
    except AssertionError:
        return None


def lose_records(cluster, node):
    """A quarter of what the log holds becomes unreadable, with records behind it, and the index goes: nobody knows which
    keys that was about."""
    for log in (cluster.folder / "data" / node).glob("disk-*/log/segment-*.log"):
        used = len(log.read_bytes().rstrip(b"\0"))
        with open(log, "r+b") as file:
            file.seek(used // 2)
            file.write(os.urandom(used // 4))
    for index in (cluster.folder / "data" / node).glob("disk-*/index"):
        shutil.rmtree(index)


def test_a_node_that_has_forgotten_is_healed_and_votes_again(cluster, bucket):
    forgetful, other = "storage-2", "storage-3"
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers, 60)
        cluster.kill(forgetful)
        lose_records(cluster, forgetful)
        cluster.release(forgetful)
        assert doubtful_slots(cluster, forgetful) == 256
        some_puts(writers)
        wait_until("the node to have its memory back", lambda: doubtful_slots(cluster, forgetful) == 0, 180)
        some_puts(writers)
    assert writers.errors == [], "a client saw an error"
    assert writers.wrong == []
    memory = cluster.adm("repair-status")["memory"]
    assert memory["recovered"] == 1, memory
    # Without another node every object is decided and read with its vote.
    cluster.kill(other)
    with Writers(cluster, bucket) as more:
        some_puts(more, 60)
    assert more.errors == [] and more.wrong == []
    assert writers.verify(cluster.s3()) == []
    assert more.verify(cluster.s3()) == []
    cluster.release(other)


def destroy_end(cluster, node):
    """The last records that the log holds become zeros, and the index goes: it looks like a write that was interrupted."""
    log = [log for log in sorted((cluster.folder / "data" / node).glob("disk-*/log/segment-*.log")) if used(log) > 64][-1]
    length = used(log) - 64
    with open(log, "r+b") as file:
        file.seek(64 + length // 2)
        file.write(bytes(length - length // 2))
    for index in (cluster.folder / "data" / node).glob("disk-*/index"):
        shutil.rmtree(index)


def used(log):
    return len(log.read_bytes().rstrip(b"\0"))


def test_a_node_whose_log_has_lost_its_end_knows_it(cluster, bucket):
    node = "storage-1"
    with Writers(cluster, bucket) as writers:
        some_puts(writers, 60)
        cluster.kill(node)
        destroy_end(cluster, node)
        cluster.release(node)
        assert doubtful_slots(cluster, node) == 256
        assert "lostEnd" in (cluster.folder / "log" / f"{node}.log").read_text()
        some_puts(writers)
        wait_until("the node to have its memory back", lambda: doubtful_slots(cluster, node) == 0, 180)
    assert writers.errors == [], "a client saw an error"
    assert writers.wrong == []
    assert writers.verify(cluster.s3()) == []


def test_all_replicas_are_equal_at_the_end(cluster, bucket):
    wait_until("equal digests of all replicas", lambda: all_equal(cluster, NODES, 120), 180, 1)
