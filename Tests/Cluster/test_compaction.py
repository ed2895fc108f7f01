"""Compaction on real processes: by command, beside writes, and over a kill."""
import concurrent.futures
import hashlib
import pathlib
import shutil
import tempfile

import botocore.exceptions
import pytest
from conftest import Cluster, stop_cluster, wait_until

KIB = 1 << 10
SIZES = [0, 1, 700 * KIB, 1 << 20, (1 << 20) + 1, 3 << 20]


@pytest.fixture
def cluster():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-compaction-"))
    try:
        made = Cluster(
            folder, "--nodes", "1", "--replicas", "1", "--set", "storage.segment_size=4MiB", "--set",
            "storage.compaction_automatic=false", "--set", "repair.release_grace=1s", "--set",
            "repair.release_interval=1s")
        made.s3().create_bucket(Bucket="box")
        yield made
    finally:
        stop_cluster(folder)
        shutil.rmtree(folder, ignore_errors=True)


def content(key, generation):
    size = SIZES[key % len(SIZES)]
    return hashlib.shake_128(f"{key} {generation}".encode()).digest(size)


def write(s3, generation):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(
            lambda key: s3.put_object(Bucket="box", Key=f"key {key}", Body=content(key, generation)), range(12)))


def check(s3, generation):
    for key in range(12):
        assert s3.get_object(Bucket="box", Key=f"key {key}")["Body"].read() == content(key, generation), key


def reads(s3):
    try:
        return s3.get_object(Bucket="box", Key="key 1")
    except botocore.exceptions.ClientError:
        return None


def status(cluster):
    return cluster.adm("compact-status", "storage-1")["compaction_status"]


def is_done(cluster):
    now = status(cluster)
    return now["status"] == "idling" and now["removed_segments"] > 0


def is_smaller(cluster, used):
    if status(cluster)["status"] == "idling":
        cluster.adm("compact-start", "storage-1", "all")
    return cluster.adm("du", "storage-1")["disks"][0]["total_size"] < used


def test_compaction_frees_space_beside_writes_and_over_a_kill(cluster):
    s3 = cluster.s3()
    for generation in range(4):
        write(s3, generation)
    used = cluster.adm("du", "storage-1")["disks"][0]["total_size"]
    assert status(cluster)["status"] == "idling"
    cluster.adm("compact-suspend", "storage-1")
    assert status(cluster)["status"] == "suspending"
    cluster.adm("compact-resume", "storage-1")
    cluster.adm("compact-start", "storage-1", "all")
    write(s3, 4)
    wait_until("compaction to end", lambda: is_done(cluster), 60, 0.2)
    check(s3, 4)
    now = status(cluster)
    assert now["freed_bytes"] == now["removed_segments"] * (4 << 20)
    # What was replaced after the start is garbage for the next one.
    wait_until("less space in use", lambda: is_smaller(cluster, used), 60, 0.2)
    cluster.adm("compact-start", "storage-1", "1", "--rate", "100000000")
    cluster.kill("storage-1", hold=False)
    wait_until("storage-1 to be back", lambda: cluster.healthy("storage-1", "ready"), 60)
    wait_until("reads", lambda: reads(s3), 30)
    check(s3, 4)
    write(s3, 5)
    check(s3, 5)
