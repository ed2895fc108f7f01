"""The ring grows and shrinks while clients work: no client notices, nothing is lost, all replicas end up equal."""
import pytest
from conftest import wait_until
from storage_nodes import all_equal, holds, more_storage_nodes, states, wait_for_plan
from writers import Writers, some_puts

CLUSTER_OPTIONS = ["--set", "manager.partitions=128", "--set", "repair.rate_objects_per_second=5000"]


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="rings")
    return "rings"


@pytest.fixture(scope="module")
def backup(cluster, tmp_path_factory):
    """The state as it was before the ring was ever changed."""
    file = tmp_path_factory.mktemp("backup") / "state.json"
    cluster.adm("state", "backup", str(file))
    return file


@pytest.fixture(scope="module")
def fourth(cluster):
    """A storage node beyond those that the cluster was made with."""
    with more_storage_nodes(cluster, 4) as started:
        yield next(iter(started))


def assert_whole(cluster, writers, bucket):
    """What was acknowledged is there, the listing has it and nothing else, and all replicas are equal."""
    assert writers.errors == [], "a client saw an error"
    assert writers.wrong == []
    s3 = cluster.s3()
    assert writers.verify(s3) == []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"writers-{writers.instance}/")
    listed = [item["Key"] for page in pages for item in page.get("Contents", [])]
    assert listed == sorted(writers.acknowledged)
    wait_until("equal digests of all replicas", lambda: all_equal(cluster), 60, 1)


def test_a_node_comes_under_load(cluster, bucket, backup, fourth):
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers, 60)
        dry = cluster.adm("rebalance", "--dry-run")
        assert dry["changes"] == ["attach storage-4"]
        assert (dry["partitions"], dry["moves"]) == (96, 96)
        assert cluster.adm("status")["system_info"]["ring_epoch"] == 1, "a dry run changes nothing"
        cluster.adm("rebalance")
        assert wait_for_plan(cluster)["phase"] == "done"
        some_puts(writers)
    assert holds(cluster) == {"storage-1": 96, "storage-2": 96, "storage-3": 96, "storage-4": 96}
    assert_whole(cluster, writers, bucket)


def test_a_node_goes_under_load(cluster, bucket, fourth):
    with Writers(cluster, bucket, large_every=10) as writers:
        some_puts(writers, 60)
        cluster.adm("detach", "storage-2")
        cluster.adm("rebalance")
        assert wait_for_plan(cluster)["phase"] == "done"
        some_puts(writers)
        # It holds nothing any more: nobody misses it.
        cluster.kill("storage-2")
        some_puts(writers)
    assert holds(cluster) == {"storage-1": 128, "storage-3": 128, "storage-4": 128}
    assert "storage-2" not in states(cluster)
    assert_whole(cluster, writers, bucket)


def test_a_backup_from_before_the_changes_does_not_bring_the_old_ring_back(cluster, bucket, backup, fourth):
    before = cluster.adm("status")["system_info"]
    data = cluster.folder / "data" / "manager"
    with Writers(cluster, bucket) as writers:
        some_puts(writers)
        cluster.kill("manager")
        for file in data.glob("state.sqlite*"):
            file.rename(data / f"lost-{file.name}")
        code, out, err = cluster.run_program("manager", "restore-state", "--config", cluster.folder / "config" / "manager.toml", backup)
        assert code == 0, out + err
        cluster.release("manager")
        wait_until("the managers to know the newer ring", lambda: ring(cluster) == (before["ring_epoch"], before["ring_hash_cur"]), 30)
        wait_until("storage-4 to run", lambda: states(cluster).get("storage-4") == "running", 30)
        some_puts(writers)
        # A plan is possible again, from the ring that is in force.
        wait_until("the ring to be confirmed", lambda: not refused(cluster), 30)
        assert cluster.adm("rebalance", "--dry-run")["moves"] == 0
        some_puts(writers)
    assert holds_by_dump(cluster) == {"storage-1": 128, "storage-3": 128, "storage-4": 128}
    assert_whole(cluster, writers, bucket)


def ring(cluster):
    info = cluster.adm("status")["system_info"]
    return info["ring_epoch"], info["ring_hash_cur"]


def refused(cluster):
    code, _, err = cluster.run_program("adm", "rebalance", "--dry-run")
    assert code == 0 or "have to confirm its ring" in err, err
    return code != 0


def holds_by_dump(cluster):
    """From a storage node's own ring."""
    partitions = cluster.adm("dump-ring", "storage-1")["partitions"]
    return {node: sum(node in p["nodes"] for p in partitions) for node in sorted({n for p in partitions for n in p["nodes"]})}
