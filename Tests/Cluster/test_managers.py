"""Three managers, their state in three members of etcd: any of them may die, and all may be away.

While clients write, managers are killed one after the other; users and buckets are made all the same. With all managers
away clients go on, and changes of the cluster's state are refused in bounded time.
"""
import json
import shutil
import subprocess

import botocore.exceptions
import pytest

from conftest import wait_until
from storage_nodes import all_equal, holds, more_storage_nodes, wait_for_plan
from writers import Writers, undisturbed

CLUSTER_OPTIONS = ["--managers", "3", "--nodes", "3", "--set", "manager.partitions=256"]
MANAGERS = ["manager", "manager-2", "manager-3"]

pytestmark = pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed: apt-get install etcd-server")


def refused(call):
    """The call is refused with 503, and not left without an answer."""
    with pytest.raises(botocore.exceptions.ClientError) as failure:
        call()
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503, failure.value


def leader(cluster):
    """The manager that says that it leads."""
    leading = [m for m in MANAGERS if cluster.alive(m) and cluster.metric(m, "martlet_manager_leads") == 1]
    return leading[0] if len(leading) == 1 else None


def states(cluster):
    return {n["node"]: n["state"] for n in cluster.adm("status")["node_list"] if n["type"] == "M"}


def change_state(cluster, name):
    """A user through an administrator's verb, a bucket through a gateway; both are there afterwards."""
    made = cluster.adm("create-user", f"user-{name}")
    assert len(made["access_key_id"]) == 20
    cluster.s3().create_bucket(Bucket=f"bucket-{name}")
    cluster.s3().put_object(Bucket=f"bucket-{name}", Key="k", Body=b"v")
    assert f"user-{name}" in [u["user_id"] for u in cluster.adm("get-users")["users"]]


def test_any_manager_may_die_and_all_may_be_away(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="load")
    wait_until("one manager to lead", lambda: leader(cluster))
    with Writers(cluster, "load", threads=2, sizes=(100, 4096)) as clients:
        # The first is the leader, so that leadership has to move; the second the one that the tools ask first.
        for victim in dict.fromkeys([leader(cluster), "manager"]):
            cluster.kill(victim)
            change_state(cluster, f"without-{victim}")
            undisturbed(clients)
            wait_until("the dead manager to be noticed", lambda: states(cluster)[victim] == "stop")
            wait_until("one manager to lead", lambda: leader(cluster))
            cluster.release(victim)
            wait_until("the manager to be back", lambda: states(cluster)[victim] == "running")
        # One manager alone is enough.
        cluster.kill("manager")
        cluster.kill("manager-2")
        change_state(cluster, "with-the-third-alone")
        undisturbed(clients)

        cluster.kill("manager-3")
        undisturbed(clients, 50)
        refused(lambda: s3.create_bucket(Bucket="bucket-without-managers"))
        run = subprocess.run([cluster.program("adm"), "create-user", "nobody", "--timeout", "5"], capture_output=True, text=True,
                             timeout=120, env=cluster.env)
        assert run.returncode == 3 and "Could not connect" in run.stderr, run
        undisturbed(clients)
        for manager in MANAGERS:
            cluster.release(manager)
        wait_until("one manager to lead", lambda: leader(cluster))
        change_state(cluster, "with-all-back")
        undisturbed(clients)
    assert "bucket-without-managers" not in [b["Name"] for b in s3.list_buckets()["Buckets"]]


def test_members_of_etcd_may_die(cluster):
    """One of three: nothing is noticed. Two: changes are refused, clients go on; they work again when one is back."""
    s3 = cluster.s3()
    s3.create_bucket(Bucket="load-2")
    with Writers(cluster, "load-2", threads=2, sizes=(100, 4096)) as clients:
        cluster.kill("etcd-1")
        change_state(cluster, "without-etcd-1")
        cluster.kill("etcd-2")
        refused(lambda: s3.create_bucket(Bucket="bucket-without-etcd"))
        assert [n["type"] for n in cluster.adm("status")["node_list"]].count("S") == 3
        undisturbed(clients, 50)
        for member in ("etcd-1", "etcd-2"):
            (cluster.folder / "run" / f"{member}.hold").unlink()
        wait_until("changes to work again", lambda: works(lambda: s3.create_bucket(Bucket="bucket-with-etcd")), 40)
        change_state(cluster, "with-etcd-back")
        undisturbed(clients)


def begun(cluster):
    """The plan moves partitions, and is not near its end."""
    report = cluster.adm("rebalance-status")
    return report if report["partitions_moving"] > 0 and report["partitions_left"] > report["partitions"] // 4 else None


def test_a_plan_outlives_two_managers_one_after_the_other(cluster):
    cluster.s3().create_bucket(Bucket="load-3")
    with more_storage_nodes(cluster, 4), Writers(cluster, "load-3", threads=2, sizes=(100, 4096)) as clients:
        undisturbed(clients)
        cluster.adm("rebalance")
        for _ in range(2):
            report = wait_until("the plan to be under way", lambda: begun(cluster), 30)
            victim = wait_until("one manager to lead", lambda: leader(cluster))
            cluster.kill(victim)
            wait_until("another manager to lead", lambda: leader(cluster) not in (None, victim))
            cluster.release(victim)
            if report["partitions_left"] < report["partitions"] // 2:
                break
        assert wait_for_plan(cluster, 90)["phase"] == "done"
        assert holds(cluster) == {f"storage-{i}": 192 for i in (1, 2, 3, 4)}
        undisturbed(clients)

        # All are killed in the midst of the way back. Processes that start know the ring from their disks or from each other.
        cluster.adm("detach", "storage-4")
        cluster.adm("rebalance")
        wait_until("the plan to be under way", lambda: begun(cluster), 30)
        for manager in MANAGERS:
            cluster.kill(manager)
        undisturbed(clients, 30)
        cluster.kill("storage-2")
        undisturbed(clients, 30)
        cluster.release("storage-2")
        cluster.kill("repair")
        cluster.kill("replicator")
        undisturbed(clients, 30)
        refused(lambda: cluster.s3().create_bucket(Bucket="bucket-during-the-plan"))
        for name in ("repair", "replicator", *MANAGERS):
            cluster.release(name)
        assert wait_until("the plan to go on", lambda: over(cluster), 90, 0.5)["phase"] == "done"
        assert holds(cluster) == {f"storage-{i}": 256 for i in (1, 2, 3)}
        undisturbed(clients)
    assert clients.verify(cluster.s3()) == []
    wait_until("equal digests of all replicas", lambda: all_equal(cluster), 60, 1)


def over(cluster):
    """The report of a plan that is over; nothing while managers come back."""
    run = subprocess.run([cluster.program("adm"), "rebalance-status", "--json"], capture_output=True, text=True, timeout=60,
                         env=cluster.env)
    report = json.loads(run.stdout) if run.returncode == 0 else {}
    return report if report.get("phase") in ("done", "withdrawn") else None


def works(call):
    try:
        call()
        return True
    except botocore.exceptions.ClientError:
        return False
