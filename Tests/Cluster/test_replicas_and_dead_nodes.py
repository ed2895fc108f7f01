"""The number of replicas changes under load, and others get the replicas of a node that stays dead."""
import json

import pytest
from conftest import wait_until
from storage_nodes import all_equal, holds, states, wait_for_plan
from writers import Writers, some_puts

CLUSTER_OPTIONS = ["--nodes", "5", "--set", "manager.partitions=64", "--set", "manager.repair_wait=6s"]
NODES = [f"storage-{i}" for i in range(1, 6)]


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="replicas")
    return "replicas"


def liveness(cluster, name):
    return next(n["liveness"] for n in cluster.adm("status")["node_list"] if n["node"] == name)


def assert_whole(cluster, writers):
    assert writers.errors == [], "a client saw an error"
    assert writers.wrong == []
    assert writers.verify(cluster.s3()) == []
    wait_until("equal digests of all replicas", lambda: all_equal(cluster), 60, 1)


def test_five_replicas_instead_of_three_and_three_again(cluster, bucket):
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers)
        cluster.adm("update-consistency-level", "3", "3", "3", "5")
        # Counts at once, and changes nothing yet: three of the three replicas are not needed.
        cluster.kill("storage-2")
        some_puts(writers)
        cluster.release("storage-2")
        dry = cluster.adm("rebalance", "--dry-run")
        assert (dry["changes"], dry["moves"]) == (["5 replicas of each object"], 2 * 64)
        assert all(node["gets_objects"] > 0 and node["gets_bytes"] > 1000 for node in dry["nodes"]), dry
        cluster.adm("rebalance")
        refused = cluster.run_program("adm", "update-consistency-level", "1", "1", "1")
        assert refused[0] == 1 and "see rebalance-status" in refused[2], refused
        assert wait_for_plan(cluster)["phase"] == "done"
        assert holds(cluster) == dict.fromkeys(NODES, 64)
        # Two of five are no loss.
        cluster.kill("storage-1")
        cluster.kill("storage-4")
        some_puts(writers)
        cluster.release("storage-1")
        cluster.release("storage-4")
        cluster.adm("update-consistency-level", "2", "2", "2", "3")
        assert cluster.adm("rebalance")["moves"] <= 6
        assert wait_for_plan(cluster)["phase"] == "done"
        some_puts(writers)
    counts = holds(cluster)
    assert sum(counts.values()) == 3 * 64 and max(counts.values()) - min(counts.values()) <= 1
    assert_whole(cluster, writers)


def test_a_dead_node_is_taken_out_a_suspended_one_is_not(cluster, bucket):
    with Writers(cluster, bucket) as writers:
        cluster.adm("suspend", "storage-5")
        cluster.kill("storage-5")
        wait_until("storage-5 to be given up", lambda: liveness(cluster, "storage-5") == "down", 10)
        before = cluster.adm("status")["system_info"]["ring_epoch"]
        # Longer than any dead node stays in the ring here.
        some_puts(writers)
        wait_until("a long silence", lambda: silent_seconds(cluster, "storage-5") > 11, 30)
        assert cluster.adm("status")["system_info"]["ring_epoch"] == before
        cluster.release("storage-5")
        cluster.adm("resume", "storage-5")
        wait_until("storage-5 to run", lambda: states(cluster)["storage-5"] == "running", 10)

        cluster.kill("storage-3")
        wait_until("storage-3 to be given up", lambda: states(cluster).get("storage-3") == "stop", 10)
        assert "others get its replicas at" in finding(cluster, "storage-3")
        wait_until("a plan without it", lambda: cluster.adm("rebalance-status")["changes"] == ["storage-3 is dead: others get its replicas"], 30)
        assert wait_for_plan(cluster)["phase"] == "done"
        some_puts(writers)
    assert holds(cluster) == dict.fromkeys(sorted(set(NODES) - {"storage-3"}), 48)
    assert "storage-3" not in states(cluster)
    assert cluster.metric("manager", "martlet_manager_dead_nodes_taken_out_total") == 1
    assert_whole(cluster, writers)


def finding(cluster, subject):
    """What `cluster health` says of a node. It exits with the grade of the worst finding."""
    _, out, _ = cluster.run_program("adm", "cluster", "health", "--json")
    return next(f["problem"] for f in json.loads(out)["findings"] if f["subject"] == subject)


def silent_seconds(cluster, name):
    node = next(n for n in cluster.adm("status")["node_list"] if n["node"] == name)
    return (node["silent_milliseconds"] or 0) / 1000


def test_a_node_that_returns_afterwards_is_told(cluster, bucket):
    (cluster.folder / "run" / "storage-3.hold").unlink()
    log = cluster.folder / "log" / "storage-3.log"
    wait_until("storage-3 to say so", lambda: "removed from the cluster" in log.read_text(), 30)
    (cluster.folder / "run" / "storage-3.hold").touch()
    assert "storage-3" not in states(cluster)
