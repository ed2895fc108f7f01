"""A storage node that is stopped (SIGSTOP), not dead: connections stay, nothing is answered. Reads and writes go on without waiting for it.

The node is stopped for less than the time after which the manager takes it for dead, so only the gateway's own judgement helps.
"""
import pytest

from conftest import stopped

CLUSTER_OPTIONS = ["--set", "manager.failure_timeout=60s"]
OBJECTS = 60
NODES = ["storage-1", "storage-2", "storage-3"]


@pytest.fixture(scope="module")
def bucket(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="slow-nodes")
    for number in range(OBJECTS):
        s3.put_object(Bucket="slow-nodes", Key=f"{number}", Body=content(number))
    return "slow-nodes"


def content(number):
    """Every fourth object has chunks of its own; the others lie beside their register."""
    return bytes([number]) * (3_000_000 if number % 4 == 0 else 5_000)


def hedges(cluster):
    return cluster.metric("gateway", "martlet_hedged_requests_total")


@pytest.mark.parametrize("node", NODES)
def test_reads_ask_another_replica_instead_of_a_stopped_one(cluster, bucket, node):
    s3, before = cluster.s3(), hedges(cluster)
    failures = cluster.metric("gateway", "martlet_quorum_failures_total")
    with stopped(cluster, node):
        for number in range(OBJECTS):
            assert s3.get_object(Bucket=bucket, Key=f"{number}")["Body"].read() == content(number), number
        asked = hedges(cluster) - before
    # Some reads would have asked the stopped node first; once it is known to be silent, nearly none does.
    assert 0 < asked < OBJECTS / 2
    assert cluster.metric("gateway", "martlet_quorum_failures_total") == failures


@pytest.mark.parametrize("node", NODES)
def test_writes_succeed_beside_a_stopped_node_and_reach_it_later(cluster, bucket, node):
    s3 = cluster.s3()
    rounds = cluster.metric("gateway", "martlet_register_rounds_total")
    with stopped(cluster, node):
        for number in range(OBJECTS):
            s3.put_object(Bucket=bucket, Key=f"{node}/{number}", Body=content(number))
        # A quorum of two has answered each time: no attempt was repeated because of the third.
        assert cluster.metric("gateway", "martlet_register_rounds_total") - rounds == OBJECTS
    for number in range(OBJECTS):
        assert s3.get_object(Bucket=bucket, Key=f"{node}/{number}")["Body"].read() == content(number), number
