"""System calls of a storage node that fail: what it says, what it still does, and what it must not say."""
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

import pytest
import tracing
from conftest import Cluster, stop_cluster, wait_until
from timed_writers import TimedWriters
from writers import Writers

REASON = tracing.unavailable()
needs_strace = pytest.mark.skipif(REASON is not None, reason=f"FAILED SYSTEM CALLS NOT TESTED: {REASON}")


@pytest.fixture(scope="module")
def single():
    """One node with the only replica: what it acknowledges, nobody else has."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-single-"))
    try:
        made = Cluster(folder, "--nodes", "1", "--replicas", "1", "--set", "storage.segment_size=4MiB")
        made.s3().create_bucket(Bucket="faults")
        yield made
    finally:
        stop_cluster(folder)
        shutil.rmtree(folder, ignore_errors=True)


def disk_states(cluster, node):
    return [row["state"] for row in cluster.adm("du", node)["disks"]]


def restart(cluster, node):
    cluster.kill(node)
    cluster.release(node)
    wait_until("the cluster to serve", lambda: cluster.healthy("gateway", "cluster"), 30)


@needs_strace
@pytest.mark.parametrize("nth", [1, 7, 23])
def test_nothing_is_acknowledged_after_a_failed_sync(single, tmp_path, nth):
    s3 = single.s3()
    with TimedWriters(single, "faults", f"eio-{nth}") as writers:
        wait_until("some writes", lambda: len(writers.acknowledged) > 10)
        with tracing.Injection(single.pid("storage-1"), f"error=EIO:when={nth}", tmp_path / "trace") as injection:
            wait_until("the failed sync", lambda: injection.times, 20)
            wait_until("the disk to be read-only", lambda: disk_states(single, "storage-1") == ["read-only"], 10)
            refused = len(writers.refusals)
            wait_until("refusals", lambda: len(writers.refusals) > refused + 10, 20)
        failed_at = injection.times[0]
    late = [key for key, begun in writers.acknowledged.items() if begun > failed_at]
    assert late == [], "acknowledged after the sync had failed"
    assert {status for _, status, _ in writers.refusals} <= {503}
    assert not single.healthy("storage-1", "ready")
    assert "martlet_storage_disk_failures_total 1" in single.fetch("storage-1", "/metrics")
    # Reads go on, from the same process.
    assert writers.missing(s3) == []
    restart(single, "storage-1")
    assert disk_states(single, "storage-1") == ["ok"]
    assert writers.missing(s3) == []
    s3.put_object(Bucket="faults", Key="after", Body=b"written again")


@needs_strace
def test_killed_at_a_sync_nothing_acknowledged_is_lost(single, tmp_path):
    s3 = single.s3()
    with Writers(single, "faults", threads=4) as writers:
        for nth in (1, 2, 5):
            target = writers.puts + 10
            wait_until("some writes", lambda: writers.puts >= target, 30)
            pid = single.pid("storage-1")
            with tracing.Injection(pid, f"signal=SIGKILL:when={nth}", tmp_path / "trace"):
                wait_until("the process to be killed", lambda: single.pid("storage-1") != pid, 20, 0.02)
            wait_until("the next one", lambda: single.alive("storage-1") and single.healthy("storage-1", "ready"), 20)
    assert writers.wrong == []
    assert writers.verify(s3) == []
    assert disk_states(single, "storage-1") == ["ok"]


@needs_strace
def test_other_replicas_serve_when_a_disk_fails(cluster, tmp_path):
    cluster.s3().create_bucket(Bucket="failing")
    with Writers(cluster, "failing") as writers:
        wait_until("some writes", lambda: writers.puts > 20)
        with tracing.Injection(cluster.pid("storage-2"), "error=EIO:when=5", tmp_path / "trace"):
            wait_until("a read-only disk", lambda: disk_states(cluster, "storage-2") == ["read-only"], 20)
        target = writers.puts + 60
        wait_until("more writes", lambda: writers.puts >= target)
    assert (writers.errors, writers.wrong) == ([], [])
    assert "takes no more writes" in (cluster.folder / "log" / "storage-2.log").read_text()
    restart(cluster, "storage-2")
    assert disk_states(cluster, "storage-2") == ["ok"]
    assert writers.verify(cluster.s3()) == []


def test_a_node_without_file_descriptors_comes_back_when_it_has_some(cluster):
    s3, pid = cluster.s3(), cluster.pid("storage-3")
    s3.create_bucket(Bucket="descriptors")
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with Writers(cluster, "descriptors", large_every=4) as writers:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), before[1]))
        target = writers.puts + 100
        wait_until("writes", lambda: writers.puts >= target, 60)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        target = writers.puts + 20
        wait_until("more writes", lambda: writers.puts >= target)
    assert (writers.errors, writers.wrong) == ([], [])
    assert cluster.pid("storage-3") == pid, "it died"
    assert disk_states(cluster, "storage-3") == ["ok"]
    assert writers.verify(s3) == []


def test_a_second_process_on_the_same_directory_is_refused(cluster):
    second = subprocess.run(
        [cluster.program("storage"), "--config", str(cluster.folder / "config" / "storage-1.toml")],
        capture_output=True, text=True, timeout=120)
    assert second.returncode != 0
    assert "in use by another process" in second.stdout + second.stderr
    assert cluster.healthy("storage-1", "ready")


def test_a_disk_of_another_node_or_a_newer_format_is_refused_and_left_alone(single):
    owner = next((single.folder / "data" / "storage-1").glob("*/log/owner"))
    text = owner.read_text()
    single.kill("storage-1")
    before = {path.name: path.stat().st_mtime_ns for path in owner.parent.glob("segment-*")}
    try:
        for old, new, complaint in [
            ("node storage-1", "node storage-9", "belongs to node storage-9"),
            ("object log 1", "object log 99", "newer than"),
            ("martlet object log", "something else entirely", "not the directory of an object log"),
        ]:
            assert old in text
            owner.write_text(text.replace(old, new))
            refused = subprocess.run(
                [single.program("storage"), "--config", str(single.folder / "config" / "storage-1.toml")],
                capture_output=True, text=True, timeout=120)
            assert refused.returncode != 0
            assert complaint in refused.stdout + refused.stderr
    finally:
        owner.write_text(text)
    assert before == {path.name: path.stat().st_mtime_ns for path in owner.parent.glob("segment-*")}
    single.release("storage-1")
    wait_until("the cluster to serve", lambda: single.healthy("gateway", "cluster"), 30)
    assert disk_states(single, "storage-1") == ["ok"]
