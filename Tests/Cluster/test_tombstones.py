"""Tombstones of deleted objects are dropped from all replicas, and nothing deleted comes back."""
import concurrent.futures
import hashlib

import botocore.exceptions
import pytest
from conftest import wait_until

MIB = 1 << 20
NODES = ["storage-1", "storage-2", "storage-3"]
CLUSTER_OPTIONS = [option for setting in [
    "storage.segment_size=4MiB", "storage.compaction_automatic=false", "repair.tombstone_interval=1s",
    "repair.tombstone_grace=1s", "repair.release_grace=1s", "repair.release_interval=1s", "repair.interval=3s",
    "repair.rate_objects_per_second=100000"] for option in ("--set", setting)]


def key(number):
    return f"{'abc'[number % 3]}/key {number}"


def body(number):
    return hashlib.shake_128(str(number).encode()).digest(100_000)


def each(work, numbers):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, numbers))


def put(cluster, bucket, numbers):
    s3 = cluster.s3()
    each(lambda n: s3.put_object(Bucket=bucket, Key=key(n), Body=body(n)), numbers)


def delete(cluster, bucket, numbers):
    s3 = cluster.s3()
    each(lambda n: s3.delete_object(Bucket=bucket, Key=key(n)), numbers)


def listed(s3, bucket, **query):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, **query)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def assert_only(cluster, bucket, live, deleted):
    """The listing has what lives, whole, and every deleted key is absent by itself."""
    s3 = cluster.s3()
    assert listed(s3, bucket) == sorted(map(key, live))
    assert listed(s3, bucket, Prefix="a/") == sorted(key(n) for n in live if n % 3 == 0)

    def absent(number):
        with pytest.raises(botocore.exceptions.ClientError) as refusal:
            s3.head_object(Bucket=bucket, Key=key(number))
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    each(absent, deleted)
    for number in live:
        assert s3.get_object(Bucket=bucket, Key=key(number))["Body"].read() == body(number)


def tombstones(cluster, nodes=NODES):
    return [sum(disk["tombstones"] for disk in cluster.adm("status", node)["disks"]) for node in nodes]


def wait_for_no_tombstones(cluster):
    wait_until("no tombstones", lambda: tombstones(cluster) == [0, 0, 0], 60, 0.5)


def task(cluster):
    return next(t for t in cluster.adm("tasks")["tasks"] if t["kind"] == "tombstone-purge")


def used(cluster):
    return sum(disk["total_size"] for node in NODES for disk in cluster.adm("du", node)["disks"])


def compact(cluster):
    for node in NODES:
        if cluster.adm("compact-status", node)["compaction_status"]["status"] == "idling":
            cluster.adm("compact-start", node, "all")


def is_less(cluster, size):
    compact(cluster)
    return used(cluster) < size


def test_tombstones_go_and_give_their_space_back(cluster):
    cluster.s3().create_bucket(Bucket="gone")
    put(cluster, "gone", range(300))
    delete(cluster, "gone", range(20, 300))
    wait_for_no_tombstones(cluster)
    # Bucket records and other deletions of the cluster itself may be among them.
    assert sum(cluster.metric(node, "martlet_storage_tombstones_purged_total") for node in NODES) >= 3 * 280
    wait_until("proof", lambda: task(cluster)["proved"], 30, 0.5)
    assert cluster.adm("repair-status")["tombstones"]["purged"] >= 280
    assert_only(cluster, "gone", range(20), range(20, 300))
    # What is live is 20 objects of 300 on three nodes, beside one open segment each.
    before = used(cluster)
    wait_until("space", lambda: is_less(cluster, before // 3), 60, 1)
    assert_only(cluster, "gone", range(20), range(20, 300))


def test_nothing_deleted_comes_back_from_nodes_that_were_killed(cluster):
    cluster.s3().create_bucket(Bucket="killed")
    put(cluster, "killed", range(150))
    cluster.kill("storage-3")
    delete(cluster, "killed", range(10, 80))
    wait_until("another round", lambda: "does not answer" in task(cluster)["result"], 30, 0.5)
    assert all(count >= 70 for count in tombstones(cluster, NODES[:2])), "a replica has not proved that it has them"
    cluster.release("storage-3")
    # In the middle of whatever goes on: hints, comparison, purge.
    delete(cluster, "killed", range(80, 120))
    cluster.kill("storage-1", hold=False)
    wait_until("storage-1 to be back", lambda: cluster.healthy("storage-1", "ready"), 60)
    wait_for_no_tombstones(cluster)
    live = [*range(10), *range(120, 150)]
    assert_only(cluster, "killed", live, range(10, 120))
    for node in NODES:
        cluster.kill(node, hold=False)
    for node in NODES:
        wait_until(f"{node} to be back", lambda: cluster.healthy(node, "ready"), 60)
    put(cluster, "killed", range(10, 20))
    assert_only(cluster, "killed", [*range(20), *live[10:]], range(20, 120))
    delete(cluster, "killed", range(10, 20))
    wait_for_no_tombstones(cluster)
    assert_only(cluster, "killed", live, range(10, 120))
