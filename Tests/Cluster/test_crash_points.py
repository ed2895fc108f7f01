"""Processes are killed at chosen system calls while a plan for the ring is under way: in the middle of writing the state of
the cluster, the tasks of repair, the epoch that a node has adopted, the log with its hints, and of sending.

After each kill the process starts again by itself; no client notices, the plans end, and nothing is lost.
"""
import json

import pytest
import tracing
from conftest import wait_until
from storage_nodes import all_equal, holds, more_storage_nodes
from writers import Writers, some_puts

REASON = tracing.unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"CRASH POINTS NOT TESTED: {REASON}")

CLUSTER_OPTIONS = ["--set", "manager.partitions=128"]

# Process, system call, the file below its data folder (none: any), and at which of its calls it is killed. Threads count apart.
POINTS = [
    ("manager", "pwrite64", "state.sqlite-wal", 6), ("manager", "fsync,fdatasync", "state.sqlite-wal", 2),
    ("manager", "sendto", None, 30),
    ("repair", "pwrite64", "tasks.sqlite-wal", 2), ("repair", "fsync,fdatasync", "tasks.sqlite-wal", 1),
    ("repair", "sendto", None, 200),
    ("storage-2", "fsync,fdatasync", "adopted-epoch.new", 1), ("storage-1", "fdatasync", None, 5),
    ("replicator", "sendto", None, 3),
]


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="points")
    return "points"


class Plans:
    """A node comes and goes, by one plan after the other, as long as anybody wants."""

    def __init__(self, cluster):
        self.cluster, self.finished, self.coming = cluster, 0, True

    def status(self):
        """None while the manager is away, or before the first plan."""
        code, out, _ = self.cluster.run_program("adm", "rebalance-status", "--json")
        return json.loads(out) if code == 0 else None

    def keep_going(self):
        """Begins the next plan when the last one is over."""
        report = self.status()
        if report and report["phase"] not in ("done", "withdrawn"):
            return
        if report:
            self.finished += 1
        weight = "3" if self.coming else "1"
        if self.cluster.run_program("adm", "weight", "storage-4", weight)[0] == 0 and self.cluster.run_program("adm", "rebalance")[0] == 0:
            self.coming = not self.coming


def killed_at(cluster, plans, point, output):
    """Whether the process came to that call while plans were under way, and died there."""
    name, call, file, nth = point
    pid = cluster.pid(name)
    paths = [cluster.folder / "data" / name / file] if file else []
    with tracing.Injection(pid, f"signal=SIGKILL:when={nth}", output, call=call, paths=paths):
        def died():
            plans.keep_going()
            return cluster.pid(name) != pid
        wait_until(f"{name} to be killed at {call} {nth} of {file or 'any file'}", died, 40, 0.1)
    wait_until(f"{name} to run", lambda: cluster.alive(name) and cluster.healthy(name, "ready"), 30)


def test_killed_anywhere_plans_go_on(cluster, bucket, tmp_path):
    with more_storage_nodes(cluster, 4), Writers(cluster, bucket, large_every=20) as writers:
        plans = Plans(cluster)
        for number, point in enumerate(POINTS):
            killed_at(cluster, plans, point, tmp_path / f"trace-{number}")
            some_puts(writers, 5)
        def over():
            report = plans.status()
            return report and report["phase"] == "done"
        wait_until("the last plan to be over", over, 90, 0.5)
        some_puts(writers)
        writers.stop()
        assert writers.errors == [], "a client saw an error"
        assert writers.wrong == []
        assert writers.verify(cluster.s3()) == []
        assert sum(holds(cluster).values()) == 3 * 128
        wait_until("no missed write to wait", lambda: waiting_hints(cluster) == 0, 60)
        wait_until("equal digests of all replicas", lambda: all_equal(cluster), 60, 1)


def waiting_hints(cluster):
    """`cluster health` exits with the grade of its worst finding."""
    return json.loads(cluster.run_program("adm", "cluster", "health", "--json")[1])["waiting_hints"]
