"""Processes are killed (-9) while clients work. Nothing acknowledged is lost, no wrong byte is served."""
import time

import pytest
from conftest import wait_until
from writers import Writers, content, some_puts


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="crashes")
    return "crashes"


def replicas(cluster, path):
    return [row for row in cluster.adm("whereis", path)["assigned_info"]]


def hints(cluster):
    """Writes that some replica missed and has not been given yet, over all storage nodes."""
    return sum(queue["messages"] for i in (1, 2, 3) for queue in cluster.adm("mq-stats", f"storage-{i}")["mq_stats"])


@pytest.mark.parametrize("node", ["storage-1", "storage-3"])
def test_a_storage_node_is_killed_under_load(cluster, bucket, node):
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers)
        cluster.kill(node)
        some_puts(writers, 60)
        others = [n for n in ("storage-1", "storage-2", "storage-3") if n != node]
        wait_until("hints for the dead node", lambda: any(
            queue["messages"] for n in others for queue in cluster.adm("mq-stats", n)["mq_stats"]), 20)
        cluster.s3().put_object(Bucket=bucket, Key=f"while-{node}-is-down", Body=b"x" * 5000)
        cluster.release(node)
        some_puts(writers)
    assert writers.errors == [], "a client saw an error"
    assert writers.wrong == []
    wait_until("the queue of missed writes to be empty", lambda: hints(cluster) == 0, 60)
    rows = wait_until("three equal replicas", lambda: equal_replicas(cluster, f"{bucket}/while-{node}-is-down"), 30)
    assert {row["node"] for row in rows} == {"storage-1", "storage-2", "storage-3"}
    assert writers.verify(cluster.s3()) == []


def equal_replicas(cluster, path):
    rows = replicas(cluster, path)
    same = {(row.get("clock"), row.get("checksum"), row.get("size")) for row in rows}
    return rows if len(rows) == 3 and len(same) == 1 and rows[0].get("clock") else None


def test_storage_traffic_goes_on_without_the_manager(cluster, bucket):
    cluster.kill("manager")
    with Writers(cluster, bucket) as writers:
        some_puts(writers, 60)
    assert writers.errors == [] and writers.wrong == []
    cluster.release("manager")
    assert writers.verify(cluster.s3()) == []
    cluster.s3().create_bucket(Bucket="after-the-manager-returned")


@pytest.mark.parametrize("process", ["replicator", "repair"])
def test_a_background_process_is_killed(cluster, bucket, process):
    with Writers(cluster, bucket) as writers:
        some_puts(writers)
        cluster.kill(process)
        some_puts(writers)
        cluster.release(process)
    assert writers.errors == [] and writers.wrong == []
    assert writers.verify(cluster.s3()) == []


def test_the_gateway_is_killed(cluster, bucket):
    with Writers(cluster, bucket, large_every=5) as writers:
        some_puts(writers)
        cluster.kill("gateway", hold=False)
        cluster.release("gateway")
        some_puts(writers)
    assert writers.wrong == []
    assert writers.verify(cluster.s3()) == []


def test_everything_is_killed_at_once(cluster, bucket):
    names = ["manager", "storage-1", "storage-2", "storage-3", "gateway", "replicator", "repair"]
    for _ in range(2):
        with Writers(cluster, bucket, threads=8, large_every=7) as writers:
            some_puts(writers)
            for name in names:
                (cluster.folder / "run" / f"{name}.hold").touch()
            pids = [cluster.pid(name) for name in names]
            for pid in pids:
                import os
                import signal
                os.kill(pid, signal.SIGKILL)
            writers.stop()
        for name in names:
            cluster.release(name)
        wait_until("the cluster to serve", lambda: cluster.healthy("gateway", "cluster"), 30)
        assert writers.verify(cluster.s3()) == []


def test_deleted_objects_stay_deleted_after_an_old_node_returns(cluster, bucket):
    s3 = cluster.s3()
    keys = [f"gone/{i}" for i in range(20)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=content(key, 1, 1000))
    cluster.kill("storage-2")
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="gone/")
    cluster.release("storage-2")
    for _ in range(20):
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="gone/")
        time.sleep(0.1)
    wait_until("the queue of missed writes to be empty", lambda: hints(cluster) == 0, 60)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="gone/")


def test_the_cluster_survives_down_and_up(cluster, bucket):
    s3 = cluster.s3()
    s3.put_object(Bucket=bucket, Key="before", Body=content("before", 1, 2_500_000))
    cluster.down()
    assert not cluster.alive("storage-1") and not cluster.alive("supervisor")
    cluster.up()
    assert cluster.s3().get_object(Bucket=bucket, Key="before")["Body"].read() == content("before", 1, 2_500_000)
