"""A storage node loses the newest records of its log: it abstains, is healed by the repair process, and votes again."""
import os
import pathlib

import pytest
from conftest import wait_until
from writers import Writers

NODES = ("storage-1", "storage-2", "storage-3")


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="memory")
    return "memory"


def some_puts(writers, count=30, seconds=60):
    target = writers.puts + count
    wait_until(f"{count} more puts", lambda: writers.puts >= target, seconds)


def doubtful_slots(cluster, node):
    """None while the node does not answer."""
    try:
        return sum(disk.get("doubtful_slots", 0) for disk in cluster.adm("disk", "list", node)["disks"])
    except AssertionError:
        return None


def lose_the_end_of_its_log(cluster, node):
    """Everything in the second half of what the newest segment holds becomes unreadable; the index goes."""
    logs = sorted((cluster.folder / "data" / node).glob("disk-*/log/segment-*.log"))
    for log in logs:
        data = log.read_bytes()
        used = len(data.rstrip(b"\0"))
        with open(log, "r+b") as file:
            file.seek(used // 2)
            file.write(os.urandom(max(0, used - used // 2)))
    for index in (cluster.folder / "data" / node).glob("disk-*/index"):
        for file in pathlib.Path(index).iterdir():
            file.unlink()


def test_a_node_that_has_forgotten_is_healed_and_votes_again(cluster, bucket):
    forgetful, other = "storage-2", "storage-3"
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers, 60)
        cluster.kill(forgetful)
        lose_the_end_of_its_log(cluster, forgetful)
        cluster.release(forgetful)
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


def test_all_replicas_are_equal_at_the_end(cluster, bucket):
    def all_equal():
        for node in NODES:
            cluster.adm("recover-consistency", node)
            status = wait_until("the comparison to end", lambda: finished(cluster), 120)
            if not status["all_equal"]:
                return False
        return True
    wait_until("equal digests of all replicas", all_equal, 180, 1)


def finished(cluster):
    status = cluster.adm("repair-status")
    return status if status["state"] in ("done", "failed") else None
