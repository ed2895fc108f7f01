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


def test_a_node_comes_under_load(cluster, bucket, fourth):
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
