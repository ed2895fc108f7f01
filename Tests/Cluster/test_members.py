"""The manager notices members that die or hang, and those that return, by itself."""
import json
import time

from conftest import stopped, wait_until

NOTICED_WITHIN = 5


def node(cluster, name):
    return next(n for n in cluster.adm("status")["node_list"] if n["node"] == name)


def heard(cluster, name):
    shown = node(cluster, name)
    return shown["liveness"] == "alive" and shown["silent_milliseconds"] < 1500


def wait_for_state(cluster, name, state, seconds):
    """Returns after how many seconds `status` shows the state."""
    began = time.monotonic()
    wait_until(f"{name} to be {state}", lambda: node(cluster, name)["state"] == state, seconds, 0.05)
    return time.monotonic() - began


def health(cluster):
    """Exit status and report of `cluster health`."""
    status, out, _ = cluster.run_program("adm", "cluster", "health", "--json")
    return status, json.loads(out)


def test_a_node_that_hangs_or_dies_is_noticed_and_returns_by_itself(cluster):
    names = [f"storage-{i}" for i in (1, 2, 3)]
    wait_until("every node to be heard", lambda: all(heard(cluster, n) for n in names), NOTICED_WITHIN)

    with stopped(cluster, "storage-2"):
        hung = wait_for_state(cluster, "storage-2", "stop", NOTICED_WITHIN)
        shown = node(cluster, "storage-2")
        assert shown["liveness"] == "down" and shown["silent_milliseconds"] >= 3000
        assert cluster.healthy("manager", "cluster"), "a write quorum is left"
    back = wait_for_state(cluster, "storage-2", "running", NOTICED_WITHIN)

    wait_until("the cluster to be healthy", lambda: health(cluster)[0] == 0)
    cluster.kill("storage-3")
    dead = wait_for_state(cluster, "storage-3", "stop", NOTICED_WITHIN)
    status, report = health(cluster)
    assert status == 4 and report["health"] == "degraded" and not report["data_at_risk"]
    assert report["partitions"]["degraded"] == report["partitions"]["total"] and report["nodes"]["down"] == 1
    assert any(f["action"] == "start storage-3" for f in report["findings"])
    assert 'martlet_manager_partitions{condition="degraded"} 1024' in cluster.fetch("manager", "/metrics")
    cluster.release("storage-3")
    again = wait_for_state(cluster, "storage-3", "running", NOTICED_WITHIN)
    print(f"hung: {hung:.1f} s, continued: {back:.1f} s, killed: {dead:.1f} s, restarted: {again:.1f} s")

    # A node that gets no processor for seconds is given up too.
    assert cluster.metric("manager", "martlet_manager_member_failures_total") >= 2
    wait_until("every node to run", lambda: all(node(cluster, n)["state"] == "running" for n in names))


def test_a_suspended_node_stays_so_over_a_restart(cluster):
    cluster.adm("suspend", "storage-1")
    cluster.kill("storage-1")
    wait_until("storage-1 to be given up", lambda: node(cluster, "storage-1")["liveness"] == "down", NOTICED_WITHIN, 0.05)
    assert node(cluster, "storage-1")["state"] == "suspend"
    s3 = cluster.s3()
    s3.create_bucket(Bucket="maintenance")
    s3.put_object(Bucket="maintenance", Key="a", Body=b"written meanwhile")
    assert s3.get_object(Bucket="maintenance", Key="a")["Body"].read() == b"written meanwhile"
    cluster.release("storage-1")
    wait_until("storage-1 to be heard", lambda: node(cluster, "storage-1")["liveness"] == "alive", NOTICED_WITHIN, 0.05)
    assert node(cluster, "storage-1")["state"] == "suspend"
    cluster.adm("resume", "storage-1")
    assert node(cluster, "storage-1")["state"] == "running"


def test_durability_is_computed_from_what_the_nodes_report(cluster):
    report = cluster.adm("durability")
    assert report["replicas"] == 3 and report["disks"] == 3 and report["scrub_seconds"] >= 7 * 86400
    assert report["rate_source"] == "assumed" and report["remarks"]
    now, full = report["scenarios"]
    assert 0 < now["annual_loss"] <= full["annual_loss"] < 1e-6 and full["bytes"] > now["bytes"]
