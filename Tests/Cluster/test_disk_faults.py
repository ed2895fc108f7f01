"""Disks of one storage node that cannot be read, turn read-only or lose their indexes, and a look into them: the other
disks and replicas serve.
"""
import json
import os
import re
import shutil
import subprocess

import pytest
import tracing
from conftest import wait_until
from writers import Writers, content, some_puts

CLUSTER_OPTIONS = ["--set", "storage.segment_size=4MiB", "--set", "storage.scrub_interval=0s", "--set", "storage.reserve=16MiB",
                   "--set", "repair.damage_interval=1s"]
NODE = "storage-2"
OBJECTS = {f"object/{number}": 20_000 + number for number in range(60)}
REASON = tracing.unavailable()


@pytest.fixture(scope="module")
def bucket(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="disk-faults")
    for key, size in OBJECTS.items():
        s3.put_object(Bucket="disk-faults", Key=key, Body=content(key, 1, size))
    return "disk-faults"


@pytest.fixture(scope="module")
def second_disk(cluster, bucket):
    """A disk added to the node while it serves, on an ext4 file system of its own; its mount point and its image."""
    point, image = cluster.folder / "data" / NODE / "disk-2", cluster.folder / "image"
    point.mkdir()
    with open(image, "wb") as file:
        file.truncate(200 << 20)
    made = command("mkfs.ext4", "-q", "-F", image)
    mounted = command("mount", "-o", "loop,errors=remount-ro", image, point) if made is None else made
    if mounted is not None:
        pytest.skip(f"READ-ONLY DISKS NOT TESTED: {mounted}")
    try:
        weight = disk(cluster, 1)["weight"]
        cluster.adm("disk", "add", NODE, str(point), "--weight", str(weight))
        wait_until("the slots to be moved", lambda: cluster.adm("disk", "list", NODE)["moves"]["state"] == "idling" and (
            disk(cluster, 2)["slots"] == 128), 120)
        yield point, image
    finally:
        command("umount", "-l", point)


def command(*words):
    """None, or why it failed."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60,
                              env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    except FileNotFoundError as error:
        return str(error)
    return None if done.returncode == 0 else f"{words[0]}: {done.stdout}{done.stderr}".strip()


def disk(cluster, number, node=NODE):
    """The row of `disk list`."""
    return cluster.adm("disk", "list", node)["disks"][number - 1]


def wrong_objects(cluster):
    s3 = cluster.s3()
    return [key for key, size in OBJECTS.items()
            if s3.get_object(Bucket="disk-faults", Key=key)["Body"].read() != content(key, 1, size)]


def log_of(cluster, node=NODE):
    return (cluster.folder / "log" / f"{node}.log").read_text()


@pytest.mark.skipif(REASON is not None, reason=f"FAILED READS NOT TESTED: {REASON}")
def test_reads_that_fail_are_served_by_other_replicas_and_repaired(cluster, bucket, tmp_path):
    segments = sorted((cluster.folder / "data" / NODE / "disk-1" / "log").glob("segment-*.log"))
    pid, failed = cluster.pid(NODE), lambda: cluster.metric(NODE, "martlet_storage_checksum_errors_total")
    found = lambda: cluster.metric(NODE, "martlet_storage_damage_found_total")

    # An error that passes: the first reads of each thread, of what the system has in memory (preadv2) and from the disk.
    with tracing.Injection(pid, "error=EIO:when=1", tmp_path / "once", call="pread64,preadv2", paths=segments):
        wait_until("a failed read", lambda: wrong_objects(cluster) == [] and failed() > 0, 60)
        wait_until("a second look", lambda: "can be read again" in log_of(cluster), 30)
    assert found() == 0

    # One that stays, with nobody there to repair what is found.
    cluster.kill("repair")
    with tracing.Injection(pid, "error=EIO", tmp_path / "all", call="pread64,preadv2", paths=segments):
        wait_until("damage to be found", lambda: wrong_objects(cluster) == [] and found() > 0, 60)
    assert disk(cluster, 1)["damaged_records"] > 0
    assert disk(cluster, 1)["state"] == "running"
    cluster.release("repair")
    wait_until("everything to be repaired", lambda: disk(cluster, 1)["damaged_records"] == 0, 60)
    assert cluster.metric(NODE, "martlet_storage_damage_repaired_total") == found()
    assert wrong_objects(cluster) == []


def test_a_disk_that_turns_read_only_takes_only_its_own_replicas_out(cluster, bucket, second_disk):
    point, image = second_disk
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers)
        # What the kernel does to a file system with errors=remount-ro.
        assert command("mount", "-o", "remount,abort", point) is None
        wait_until("the disk to be read-only", lambda: disk(cluster, 2)["state"] == "read-only", 30)
        some_puts(writers, 60)
    assert (writers.errors, writers.wrong) == ([], [])
    assert disk(cluster, 1)["state"] == "running"
    assert "Read-only file system" in disk(cluster, 2)["reason"]
    assert "takes no more writes" in log_of(cluster)
    assert 'martlet_storage_disk_state{disk="disk-2",state="read-only"} 1' in cluster.fetch(NODE, "/metrics")
    assert cluster.metric(NODE, "martlet_storage_disk_failures_total") > 0
    assert not cluster.healthy(NODE, "ready")
    assert writers.verify(cluster.s3()) == [] and wrong_objects(cluster) == []
    # Mended, it is a disk like any other.
    cluster.kill(NODE)
    assert command("umount", point) is None
    command("e2fsck", "-p", image)
    assert command("mount", "-o", "loop,errors=remount-ro", image, point) is None
    cluster.release(NODE)
    assert (disk(cluster, 2)["state"], disk(cluster, 2)["doubtful_slots"]) == ("running", 0)
    assert writers.verify(cluster.s3()) == []


def test_indexes_of_all_disks_are_rebuilt_those_added_later_too(cluster, bucket, second_disk):
    folder, config = cluster.folder / "data" / NODE, cluster.folder / "config" / f"{NODE}.toml"
    for name in ("disk_free_bytes", "disk_total_bytes", "index_memory_bytes", "index_memory_limit_bytes"):
        assert cluster.metric(NODE, f"martlet_storage_{name}") > 0, name
    refused, _, text = cluster.run_program("storage", "--rebuild-index", "--config", config)
    assert refused == 73, text
    cluster.kill(NODE)
    for number in (1, 2):
        shutil.rmtree(folder / f"disk-{number}" / "index")
    status, out, err = cluster.run_program("storage", "--rebuild-index", "--config", config)
    assert status == 0, out + err
    for number in (1, 2):
        assert f"{folder}/disk-{number}: index rebuilt from" in out
    cluster.release(NODE)
    assert [row["doubtful_slots"] for row in cluster.adm("disk", "list", NODE)["disks"]] == [0, 0]
    # With another node down, each read needs this one.
    cluster.kill("storage-1")
    try:
        assert wrong_objects(cluster) == []
    finally:
        cluster.release("storage-1")


def test_a_disk_is_looked_into_without_a_node(cluster, bucket, tmp_path):
    node, disk_path = "storage-3", cluster.folder / "data" / "storage-3" / "disk-1"

    def inspect(*options, path=disk_path):
        status, out, err = cluster.run_program("storage", "inspect", path, *options)
        return status, out + err

    status, text = inspect("--verify")
    assert status == 2 and "in use by a running node" in text
    status, text = inspect("--verify", "--json", "--running")
    assert status == 0, text
    cluster.kill(node)
    try:
        status, text = inspect("--verify", "--json")
        assert status == 0, text
        found = json.loads(text)
        assert found["node"] == node and found["is_verified"] and found["damages"] == []
        assert sum(segment["records"] for segment in found["segments"]) > len(OBJECTS)
        copy = tmp_path / "disk"
        shutil.copytree(disk_path, copy)
    finally:
        cluster.release(node)
    harmed = tmp_path / "harmed"
    shutil.copytree(copy, harmed)
    damage(harmed / "log" / "segment-0000000001.log")
    status, text = inspect("--verify", path=harmed)
    found = re.search(r"DAMAGE payload at (1:\d+).*key=", text)
    assert status == 1 and found, text
    position = found[1]
    status, text = inspect("--record", position, "--json", path=copy)
    assert status == 0 and json.loads(text)["position"] == position, text
    assert inspect("--record", "1:56", path=copy)[0] == 1
    assert inspect("--record", "1:nonsense", path=copy)[0] == 2
    assert inspect(path=tmp_path)[0] == 2


def damage(segment):
    """Changes a byte of some object's content."""
    key = next(iter(OBJECTS))
    with open(segment, "r+b") as file:
        offset = file.read().index(content(key, 1, OBJECTS[key])[:1000]) + 500
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
