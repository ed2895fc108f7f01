"""A node comes back with what it had, after the tombstones of what was deleted meanwhile are gone: nothing deleted comes back.

Once as a member that had given its partitions away, once as a detached node that enrols anew without having been wiped.
"""
import pytest
from conftest import wait_until
from storage_nodes import all_equal, holds, more_storage_nodes, start_storage_node, states, wait_for_plan, wait_until_attached
from test_tombstones import assert_only, delete, put

PARTITIONS = 64
CLUSTER_OPTIONS = [option for setting in [
    f"manager.partitions={PARTITIONS}", "storage.departed_patience=1h", "storage.segment_size=4MiB",
    "repair.tombstone_interval=1h", "repair.rate_objects_per_second=100000"] for option in ("--set", setting)]
LIVE, DELETED = range(20), range(20, 120)


@pytest.fixture(scope="module")
def fourth(cluster):
    with more_storage_nodes(cluster, 4) as started:
        cluster.adm("rebalance")
        assert wait_for_plan(cluster)["phase"] == "done"
        yield started["storage-4"]


def tombstones(cluster, nodes):
    return sum(disk["tombstones"] for node in nodes for disk in cluster.adm("status", node)["disks"])


def purge_all(cluster, nodes):
    """On demand, whatever their age, and with proof: nothing is left on these nodes but what they hold no longer."""
    def proved():
        id = cluster.adm("purge-tombstones", "--older-than", "0s", "--force")["id"]
        task = wait_until("the purge", lambda: finished(cluster, id), 30)
        return task["proved"]
    wait_until("all tombstones to be purged", proved, 60, 0.5)
    assert tombstones(cluster, nodes) == 0


def finished(cluster, id):
    return next((t for t in cluster.adm("tasks")["tasks"] if t["id"] == id and t["state"] == "done"), None)


def objects(cluster, node):
    return sum(disk["active_objects"] for disk in cluster.adm("du", node)["disks"])


def assert_nothing_came_back(cluster, bucket):
    assert_only(cluster, bucket, LIVE, DELETED)
    wait_until("equal digests of all replicas", lambda: all_equal(cluster), 60, 1)
    assert_only(cluster, bucket, LIVE, DELETED)


def weigh(cluster, fourth):
    """The share of the fourth node, of those of the others 100."""
    for node, weight in [("storage-1", 100), ("storage-2", 100), ("storage-3", 100), ("storage-4", fourth)]:
        cluster.adm("weight", node, str(weight))
    cluster.adm("rebalance")
    assert wait_for_plan(cluster)["phase"] == "done"


def test_a_member_gets_partitions_back_that_it_has_old_records_of(cluster, fourth):
    cluster.s3().create_bucket(Bucket="weights")
    put(cluster, "weights", range(120))
    weigh(cluster, 10)
    assert holds(cluster)["storage-4"] < PARTITIONS / 4
    delete(cluster, "weights", DELETED)
    purge_all(cluster, ["storage-1", "storage-2", "storage-3"])
    # Most of what was deleted is still on the disk of the one that gave its partitions away.
    assert objects(cluster, "storage-4") > 20
    weigh(cluster, 100)
    assert holds(cluster)["storage-4"] == PARTITIONS * 3 / 4
    assert_nothing_came_back(cluster, "weights")


def test_a_detached_node_comes_back_with_its_old_disk(cluster, fourth):
    cluster.s3().create_bucket(Bucket="detached")
    put(cluster, "detached", range(120))
    cluster.adm("detach", "storage-4")
    cluster.adm("rebalance")
    assert wait_for_plan(cluster)["phase"] == "done"
    assert "storage-4" not in states(cluster)
    fourth.kill()
    fourth.wait()
    delete(cluster, "detached", DELETED)
    purge_all(cluster, ["storage-1", "storage-2", "storage-3"])
    # Not what anybody should do: the machine comes back with a new key, and with its old disk.
    folder = cluster.folder / "data" / "storage-4"
    for file in folder.iterdir():
        if file.is_file() and file.name not in ("FORMAT", "disks.json", "noted-counter"):
            file.unlink()
    process = start_storage_node(cluster, 4, cluster.port_base + 110)
    try:
        wait_until_attached(cluster, "storage-4")
        assert objects(cluster, "storage-4") > 50
        cluster.adm("rebalance")
        assert wait_for_plan(cluster)["phase"] == "done"
        assert_nothing_came_back(cluster, "detached")
    finally:
        process.kill()
        process.wait()
