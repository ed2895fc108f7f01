"""A cluster grows from three nodes to five, loses a disk and gets another, and shrinks to four, under a mixed load.

No client sees an error, hardly more moves than has to, and every node ends up with its share. How long requests took is
printed (`pytest -rP`), not judged: docs/internals/performance.md has figures.
"""
import json
import shutil
import threading

from conftest import wait_until
from storage_nodes import all_equal, holds, more_storage_nodes, wait_for_plan

PARTITIONS, REPLICAS = 128, 3
CLUSTER_OPTIONS = ["--set", f"manager.partitions={PARTITIONS}"]
MIX = "put=30,multipart=1,get=55,head=5,delete=4,list=5"


class Load:
    """martlet-load, one short run after the other, until stopped; the sum of what it reports."""

    def __init__(self, cluster, prefix):
        self.cluster, self.prefix = cluster, prefix
        self.requests = self.runs = 0
        self.failures, self.p99 = [], {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.go_on, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(60)

    def go_on(self):
        while not self.stopping.is_set():
            self.run(3)

    def run(self, seconds, *more):
        self.runs += 1
        code, out, err = self.cluster.run_program(
            "load", "run", "--bucket", "life", "--mix", MIX, "--size", "1KiB..32KiB=95,1MiB..6MiB=5", "--part-size", "5MiB",
            "--keys", 300, "--prefix", self.prefix, "--duration", f"{seconds}s", "--concurrency", 4, "--rate", 60,
            "--seed", self.runs, "--json", *more)
        result = json.loads(out.splitlines()[-1]) if out else {}
        if code != 0 or result["errors"] or result["wrong_bytes"]:
            self.failures.append(out + err)
        self.requests += result.get("requests", 0)
        for kind, row in result.get("operations", {}).items():
            self.p99[kind] = max(self.p99.get(kind, 0), row["latency_seconds"]["p99"])

    def text(self):
        return ", ".join(f"{kind} {1000 * self.p99[kind]:.0f}" for kind in sorted(self.p99))

    def more(self, count=60):
        target = self.requests + count
        wait_until(f"{count} more requests", lambda: self.requests >= target, 60)


def rebalanced(cluster, nodes):
    """Carries out what was announced; every node ends up with its share, and little more moves than that takes."""
    before = holds(cluster) if cluster.adm("status")["system_info"]["ring_epoch"] > 1 else {f"storage-{n}": PARTITIONS for n in (1, 2, 3)}
    moves = cluster.adm("rebalance")["moves"]
    assert wait_for_plan(cluster, 120)["phase"] == "done"
    after = holds(cluster)
    share = PARTITIONS * REPLICAS / nodes
    assert len(after) == nodes
    assert all(abs(count - share) <= max(1, 0.05 * share) for count in after.values()), after
    least = sum(max(0, count - before.get(node, 0)) for node, count in after.items())
    assert least <= moves <= 1.1 * least, (before, after)


def replace_disk(cluster, node):
    """The only disk of a node is lost, and an empty one is put into its place."""
    disk = cluster.folder / "data" / node / "disk-1"
    cluster.kill(node)
    shutil.rmtree(disk)
    (cluster.folder / "run" / f"{node}.hold").unlink()
    wait_until("the lost disk to be noticed", lambda: disk_state(cluster, node)["state"] == "failed", 30)
    disk.mkdir()
    cluster.adm("disk", "replace", node, str(disk))
    assert disk_state(cluster, node)["doubtful_slots"] == 256
    wait_until("the new disk to be whole and to vote", lambda: disk_state(cluster, node)["doubtful_slots"] == 0, 120)


def disk_state(cluster, node):
    try:
        return cluster.adm("disk", "list", node)["disks"][0]
    except AssertionError:
        return {"state": None}


def test_three_five_four_nodes_and_a_replaced_disk(cluster):
    quiet = Load(cluster, "quiet/")
    quiet.run(6, "--prepare")
    assert quiet.failures == []
    with more_storage_nodes(cluster, 4, 5), Load(cluster, "life/") as load:
        load.more()
        rebalanced(cluster, 5)
        load.more()
        replace_disk(cluster, "storage-2")
        load.more()
        cluster.adm("detach", "storage-1")
        rebalanced(cluster, 4)
        # It holds nothing any more: nobody misses it.
        cluster.kill("storage-1")
        load.more()
        load.stopping.set()
        load.thread.join(60)
        print(f"p99 in ms while nothing else happened: {quiet.text()}; the highest of {load.runs} runs meanwhile: {load.text()}")
        assert load.failures == []
        wait_until("equal digests of all replicas", lambda: all_equal(cluster), 90, 1)
