"""Uploads fill the disks of a cluster to the last byte: writes are refused with a clear code, everything else goes on,
and what is deleted makes room again without a restart.
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import tempfile

import botocore.exceptions
import pytest
from conftest import Cluster, stop_cluster, wait_until
from writers import content

SIZE_MIB = 300
OBJECT = 6_000_000
SETTINGS = ["storage.segment_size=4MiB", "storage.reserve=32MiB", "storage.index_memory=16MiB", "repair.release_grace=0s",
            "repair.release_interval=2s", "repair.interval=5s"]


def mounted(path, options):
    path.mkdir(parents=True, exist_ok=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="martlet-full-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def full(folder):
    """Three nodes, each in a small file system of its own."""
    homes = [folder / "cluster" / "data" / f"storage-{i}" for i in (1, 2, 3)]
    try:
        for home in homes:
            done = mounted(home, f"size={SIZE_MIB}m")
            if done.returncode != 0:
                pytest.skip(f"FULL DISKS NOT TESTED: mounting is not permitted: {done.stderr.strip()}")
        yield Cluster(folder / "cluster", *(word for s in SETTINGS for word in ("--set", s)))
    finally:
        stop_cluster(folder / "cluster")
        for home in homes:
            subprocess.run(["umount", "-l", str(home)], capture_output=True)


def put(s3, key, size=OBJECT):
    """None, or why it was refused."""
    try:
        s3.put_object(Bucket="full", Key=key, Body=content(key, 1, size))
        return None
    except botocore.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def fill(cluster):
    """Uploads until every one is refused; returns the keys that are stored and the reasons of the others."""
    s3, stored, refusals = cluster.s3(), [], []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for start in range(0, 400, 4):
            keys = [f"large/{start + i}" for i in range(4)]
            results = list(pool.map(lambda key: put(s3, key), keys))
            stored += [key for key, result in zip(keys, results) if result is None]
            refusals += [result for result in results if result is not None]
            if all(results) and len(refusals) >= 8:
                return stored, refusals
    pytest.fail(f"the disks do not become full: {len(stored)} objects are stored")


def wrong(s3, keys, size=OBJECT):
    return [key for key in keys if s3.get_object(Bucket="full", Key=key)["Body"].read() != content(key, 1, size)]


def test_full_disks_refuse_writes_and_recover_when_objects_are_deleted(full):
    s3 = full.s3()
    s3.create_bucket(Bucket="full")
    pids = [full.pid(f"storage-{i}") for i in (1, 2, 3)]
    small = [f"small/{i}" for i in range(20)]
    assert [put(s3, key, 2000) for key in small] == [None] * 20
    stored, refusals = fill(full)
    print(f"{len(stored)} objects of {OBJECT} bytes fit, refusals: {set(refusals)}")
    assert len(stored) > 15, "less than a third of the space was used"
    assert set(refusals) <= {(507, "InsufficientStorage"), (503, "ServiceUnavailable"), (503, "SlowDown")}
    assert (507, "InsufficientStorage") in refusals
    assert "full" in [row["state"] for i in (1, 2, 3) for row in full.adm("du", f"storage-{i}")["disks"]]

    # Reads, listings and deletions go on.
    assert wrong(s3, stored) == [] and wrong(s3, small, 2000) == []
    listed = s3.list_objects_v2(Bucket="full", Prefix="large/")["KeyCount"]
    assert listed >= len(stored)
    for key in stored:
        s3.delete_object(Bucket="full", Key=key)
    remaining = s3.list_objects_v2(Bucket="full", Prefix="large/").get("Contents", [])
    assert not set(stored) & {entry["Key"] for entry in remaining}

    # The space comes back by itself, and writes with it.
    again = [f"again/{i}" for i in range(max(10, len(stored) // 2))]
    for key in again:
        wait_until(f"room for {key}", lambda: put(s3, key) is None, 60, 0.5)
    assert wrong(s3, again) == [] and wrong(s3, small, 2000) == []
    assert pids == [full.pid(f"storage-{i}") for i in (1, 2, 3)], "a node was restarted"


def test_a_disk_without_inodes_refuses_writes_until_it_has_some(folder):
    home = folder / "inodes"
    storage = home / "data" / "storage-1"
    done = mounted(storage, "size=400m,nr_inodes=60")
    if done.returncode != 0:
        pytest.skip(f"MISSING INODES NOT TESTED: mounting is not permitted: {done.stderr.strip()}")
    try:
        cluster = Cluster(home, "--nodes", "1", "--replicas", "1", *(word for s in SETTINGS for word in ("--set", s)))
        s3 = cluster.s3()
        s3.create_bucket(Bucket="full")
        status = os.statvfs(storage)
        fillers = [storage / f"filler-{i}" for i in range(status.f_ffree)]
        for filler in fillers:
            filler.touch()
        stored, refusals = fill(cluster)
        assert set(refusals) <= {(507, "InsufficientStorage"), (503, "ServiceUnavailable"), (503, "SlowDown")}
        assert wrong(s3, stored) == []
        for filler in fillers:
            filler.unlink()
        wait_until("writes to go on", lambda: put(s3, "later") is None, 30, 0.5)
        assert wrong(s3, [*stored, "later"]) == []
    finally:
        stop_cluster(home)
        subprocess.run(["umount", "-l", str(storage)], capture_output=True)
