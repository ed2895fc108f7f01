"""The power goes, and with it what the disk had in its cache: everything acknowledged is there all the same.

One storage node keeps the only replica on a disk with a volatile cache. MARTLET_POWER_CUTS (4) says how often.
"""
import os
import pathlib
import random
import shutil
import signal
import tempfile

import pytest
import volatile_disk
from conftest import BINARIES, Cluster, stop_cluster, wait_until
from writers import Writers

CUTS = int(os.environ.get("MARTLET_POWER_CUTS", 4))
REASON = volatile_disk.unavailable()

pytestmark = pytest.mark.skipif(REASON is not None, reason=f"POWER CUTS NOT TESTED: {REASON}")


@pytest.fixture
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="martlet-power-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def disk(folder):
    made = volatile_disk.VolatileDisk(folder / "device", folder / "cluster" / "data" / "storage-1")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def cluster(folder, disk):
    assert (BINARIES / "martlet-gateway").exists(), f"no binaries in {BINARIES}"
    try:
        yield Cluster(folder / "cluster", "--nodes", "1", "--replicas", "1", "--set", "storage.segment_size=4MiB")
    finally:
        stop_cluster(folder / "cluster")


def test_the_device_forgets_what_was_not_flushed(folder):
    """The test of the test: with a disk that lies about flushes, data is lost."""
    for lies in (False, True):
        disk = volatile_disk.VolatileDisk(folder / f"device-{lies}", folder / "mounted", size_mib=16, lies=lies)
        try:
            disk.start()
            with open(disk.mount_point / "synced", "wb") as file:
                file.write(b"x" * 10_000)
                file.flush()
                os.fsync(file.fileno())
            disk.cut()
            disk.settle()
            disk.repair()
            disk.start()
            assert (disk.mount_point / "synced").exists() != lies
        finally:
            disk.stop()


def test_nothing_acknowledged_is_lost_when_the_power_goes(cluster, disk):
    seed = int(os.environ.get("MARTLET_POWER_SEED", random.randrange(1 << 30)))
    print(f"MARTLET_POWER_SEED={seed}")
    rng = random.Random(seed)
    cluster.s3().create_bucket(Bucket="power")
    rounds = []
    for number in range(CUTS):
        writers = Writers(cluster, "power", threads=6, large_every=8)
        rounds.append(writers)
        with writers:
            target = rng.randrange(30, 90)
            wait_until(f"{target} puts", lambda: writers.puts >= target, 60, 0.005)
            cut(cluster, disk, rng)
            writers.stop()
        disk.settle(rng if number % 2 else None)
        disk.repair()
        disk.start()
        cluster.release("storage-1")
        wait_until("the cluster to serve", lambda: cluster.healthy("gateway", "cluster"), 30)
        states = [row["state"] for row in cluster.adm("du", "storage-1")["disks"]]
        assert states == ["ok"]
        for earlier in rounds:
            assert earlier.wrong == []
            assert earlier.verify(cluster.s3()) == []


def cut(cluster, disk, rng):
    """Disk and process go together; which is first by a hair is left to chance."""
    (cluster.folder / "run" / "storage-1.hold").touch()
    pid = cluster.pid("storage-1")
    if rng.random() < 0.5:
        disk.cut()
        os.kill(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGKILL)
        disk.cut()
    wait_until("storage-1 to end", lambda: cluster.pid("storage-1") != pid, 10, 0.02)
