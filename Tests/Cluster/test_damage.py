"""Bytes on the disk of one replica change while clients read. No wrong byte is served, everything is found and repaired."""
import contextlib
import random
import threading

import pytest
from conftest import wait_until
from writers import content

CLUSTER_OPTIONS = [
    "--set", "storage.segment_size=4MiB", "--set", "storage.scrub_interval=0s", "--set", "storage.scrub_rate=1GiB",
    "--set", "repair.damage_interval=1s",
]
NODE = "storage-2"
SMALL, LARGE = 300, 8
SIZES = [0, 1, 100, 4096, 60_000, 300_000]


def objects():
    for number in range(SMALL):
        yield f"small/{number}", SIZES[number % len(SIZES)]
    for number in range(LARGE):
        yield f"large/{number}", 5_000_000 + number


@pytest.fixture(scope="module")
def bucket(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="damage")
    for key, size in objects():
        s3.put_object(Bucket="damage", Key=key, Body=content(key, 1, size))
    # Some of it becomes garbage.
    for number in range(0, SMALL, 10):
        s3.delete_object(Bucket="damage", Key=f"small/{number}")
        s3.put_object(Bucket="damage", Key=f"small/{number}", Body=content(f"small/{number}", 1, SIZES[number % len(SIZES)]))
    return "damage"


@contextlib.contextmanager
def readers(cluster, bucket, threads=3):
    """Threads that read everything again and again; what was wrong, and how many reads there were."""
    stopping, faults, reads = threading.Event(), [], [0]

    def run(seed):
        s3, rng, all_objects = cluster.s3(), random.Random(seed), list(objects())
        while not stopping.is_set():
            key, size = rng.choice(all_objects)
            try:
                if s3.get_object(Bucket=bucket, Key=key)["Body"].read() != content(key, 1, size):
                    faults.append((key, "wrong bytes"))
            except Exception as error:
                faults.append((key, str(error)[:200]))
            reads[0] += 1

    running = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(threads)]
    for thread in running:
        thread.start()
    yield faults, reads
    stopping.set()
    for thread in running:
        thread.join(60)


def sealed_segments(cluster, node):
    """Segments of the node's disk that are no longer written to."""
    active = int(cluster.adm("status", node)["disks"][0]["log_end"].split(":")[0])
    logs = sorted((cluster.folder / "data" / node).glob("disk-*/log/segment-*.log"))
    return [log for log in logs if int(log.stem.split("-")[1]) < active]


def flip(path, rng, count):
    with open(path, "r+b") as file:
        size = file.seek(0, 2)
        for _ in range(count):
            offset = rng.randrange(64, size)
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1 << rng.randrange(8)]))


def scrub(cluster, node):
    before = scrub_status(cluster, node)
    cluster.adm("scrub-start", node)
    wait_until("the scrub to end", lambda: scrub_status(cluster, node).get("state") == "idling" and (
        scrub_status(cluster, node).get("finished_milliseconds") != before.get("finished_milliseconds")), 120)
    return scrub_status(cluster, node)


def scrub_status(cluster, node):
    """Of the node's disk; empty while it is not in service."""
    return next(iter(cluster.adm("scrub-status", node)["disks"]), {})


def damaged(cluster, node):
    return cluster.metric(node, "martlet_storage_damaged_records")


def test_flipped_bytes_are_never_served_and_all_repaired(cluster, bucket):
    rng = random.Random(20261121)
    segments = sealed_segments(cluster, NODE)
    assert len(segments) >= 8, "too little was written to seal segments"
    assert scrub(cluster, NODE)["damaged_records"] == 0
    with readers(cluster, bucket) as (faults, reads):
        for segment in segments:
            flip(segment, rng, 5)
        first = reads[0]
        found = scrub(cluster, NODE)
        assert found["damaged_records"] + found["rewritten_registers"] + cluster.metric(
            NODE, "martlet_storage_damage_found_total") > 0
        wait_until("everything to be healed", lambda: damaged(cluster, NODE) == 0, 90)
        wait_until("reads in between", lambda: reads[0] > first + 200, 60)
    assert faults == []
    assert cluster.metric(NODE, "martlet_storage_damage_found_total") > 0
    assert cluster.metric(NODE, "martlet_storage_damage_repaired_total") == cluster.metric(
        NODE, "martlet_storage_damage_found_total")
    wait_until("repair to say so", lambda: cluster.adm("repair-status")["damage"]["damaged"] == 0, 30)
    assert cluster.adm("repair-status")["damage"]["repaired"] > 0
    again = scrub(cluster, NODE)
    assert again["damaged_records"] == 0 and again["rewritten_registers"] == 0
    assert all(cluster.alive(name) for name in ("storage-1", NODE, "storage-3"))


def test_a_healed_replica_serves_alone_with_another(cluster, bucket):
    """With one of the others down every read needs the replica that was healed."""
    cluster.kill("storage-1")
    try:
        s3 = cluster.s3()
        for key, size in objects():
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content(key, 1, size), key
    finally:
        cluster.release("storage-1")


def test_a_diagnosis_names_every_record(cluster, bucket):
    report = cluster.adm("diagnose-start", NODE)
    wait_until("the diagnosis", lambda: report["state"] == "done" or cluster.adm("diagnose-start", NODE)["state"] == "done", 60)
    path = report["reports"][0]["path"]
    with open(path) as file:
        header, *rows = [line.rstrip("\n").split("\t") for line in file]
    assert header[0] == "segment" and {len(row) for row in rows} == {len(header)}
    live = {row[5] for row in rows if row[2] == "register" and row[-1] == "live" and row[4] == "objects"}
    assert {key for key, _ in objects()} <= live
    summary = report["reports"][0]["summary"]
    assert summary["live"] + summary["garbage"] + summary["control"] <= len(rows)


def test_flipped_bytes_in_the_index_are_noticed_and_it_is_rebuilt(cluster, bucket):
    rng = random.Random(7)
    # A stop flushes the index into its files; behind a start nothing of them is in memory.
    cluster.kill(NODE)
    cluster.release(NODE)
    tables = wait_until("tables of the index", lambda: sorted(
        (cluster.folder / "data" / NODE).glob("disk-*/index/*.sst")), 30)
    with readers(cluster, bucket) as (faults, reads):
        for table in tables:
            flip(table, rng, 40)
        first = reads[0]
        cluster.adm("scrub-start", NODE)
        log = cluster.folder / "log" / f"{NODE}.log"
        wait_until("the index to be rebuilt", lambda: "is rebuilt from its log" in log.read_text(), 90)
        wait_until("reads in between", lambda: reads[0] > first + 300, 90)
        wait_until("the disk to serve", lambda: cluster.adm("disk", "list", NODE)["disks"][0]["state"] == "running", 90)
        cluster.adm("recover-consistency", NODE)
        wait_until("the replicas to be equal", lambda: all_equal(cluster), 90)
    assert faults == []
    assert scrub(cluster, NODE)["misplaced_entries"] == 0


def all_equal(cluster):
    status = cluster.adm("repair-status")
    if status["state"] == "running":
        return False
    if not status["all_equal"]:
        cluster.adm("recover-consistency", NODE)
    return status["all_equal"]
