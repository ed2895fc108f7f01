"""Repair work of a running cluster as its operator sees it: tasks with progress and proof that outlive their process."""
import http.client

import botocore.auth
import botocore.awsrequest
import pytest
from conftest import wait_until

CLUSTER_OPTIONS = [
    "--set", "repair.garbage_age=4s", "--set", "repair.garbage_interval=1s", "--set", "repair.release_grace=2s"]
MISSED = 40
MIB = 1 << 20


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="tasks")
    return "tasks"


def tasks(cluster):
    """Of the processes that answer."""
    return {task["id"]: task for task in cluster.adm("tasks")["tasks"]}


def find(cluster, kind):
    return next(task for task in tasks(cluster).values() if task["kind"] == kind)


def ended(cluster, id, states=("done", "failed", "cancelled")):
    return wait_until(f"{id} to end", lambda: (task := tasks(cluster).get(id)) and task["state"] in states and task, 60)


def test_work_of_all_processes_is_shown(cluster, bucket):
    def kinds():
        return {task["kind"] for task in tasks(cluster).values()}
    wanted = {"anti-entropy", "damage-repair", "memory-recovery", "release-collection", "scrub", "hints"}
    wait_until("all kinds of work", lambda: wanted <= kinds(), 30)
    assert cluster.adm("tasks")["failure_nodes"] == []
    wait_until("memory-recovery to prove something", lambda: find(cluster, "memory-recovery")["proved"], 60)


def test_a_node_that_missed_writes_is_recovered_with_a_proof(cluster, bucket):
    node = "storage-3"
    replicator = find(cluster, "hints")["id"].split(":")[0]
    cluster.kill(node)
    # Hints are not to be faster.
    cluster.kill(replicator)
    for number in range(MISSED):
        cluster.s3().put_object(Bucket=bucket, Key=f"key-{number}", Body=b"x" * 5000)
    # Asked for while the node is away: the task waits for it.
    started = cluster.adm("recover-node", node)
    assert cluster.adm("recover-node", node)["id"] == started["id"], "the same work is not done twice"
    cluster.release(node)
    task = ended(cluster, started["id"])
    assert task["state"] == "done" and task["proved"], task
    assert "digests" in task["result"] and task["objects"] >= MISSED, task
    cluster.release(replicator)
    for number in range(MISSED):
        rows = cluster.adm("whereis", f"{bucket}/key-{number}")["assigned_info"]
        assert len({row["clock"] for row in rows}) == 1 and all(row["present"] for row in rows), rows


def test_one_object_and_the_ring_of_one_node(cluster, bucket):
    task = cluster.adm("recover-file", f"{bucket}/key-1")
    assert task["state"] == "done" and task["proved"], task
    ring = cluster.adm("recover-ring", "storage-1")
    assert ring["ring_hash"] == cluster.adm("status")["system_info"]["ring_hash_cur"]


def test_a_pause_and_an_open_task_outlive_the_process(cluster, bucket):
    periodic = find(cluster, "anti-entropy")["id"]
    repair = periodic.split(":")[0]
    cluster.adm("tasks", "pause", periodic)
    cluster.adm("tasks", "throttle", periodic, "--objects", "50")
    cluster.kill("storage-2")
    waiting = cluster.adm("recover-disk", "storage-2", "/nowhere")["id"]
    wait_until("the task to run", lambda: tasks(cluster)[waiting]["state"] == "running", 30)
    cluster.kill(repair, hold=False)
    wait_until("the process to be back", lambda: waiting in tasks(cluster), 60)
    task = tasks(cluster)[periodic]
    assert task["state"] == "paused" and task["objects_per_second_max"] == 50, task
    task = tasks(cluster)[waiting]
    assert task["state"] in ("waiting", "running"), task["result"]
    cluster.release("storage-2")
    assert ended(cluster, waiting)["proved"]
    cluster.adm("tasks", "resume", periodic)
    assert tasks(cluster)[periodic]["state"] in ("waiting", "running")


def stored(cluster):
    """What the three nodes hold that is not garbage."""
    return sum(disk["active_size"] for i in (1, 2, 3) for disk in cluster.adm("du", f"storage-{i}")["disks"])


def begin_put(cluster, bucket, key, size, body):
    """A signed PUT of which only the beginning is sent."""
    request = botocore.awsrequest.AWSRequest(
        "PUT", f"{cluster.endpoint}/{bucket}/{key}",
        headers={"Content-Length": str(size), "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    botocore.auth.S3SigV4Auth(cluster.s3()._request_signer._credentials, "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(cluster.endpoint.removeprefix("http://"), timeout=120)
    connection.putrequest("PUT", f"/{bucket}/{key}")
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body)
    return connection


def test_content_of_a_gateway_that_died_is_dropped(cluster, bucket):
    """What other objects have stays."""
    kept = bytes(range(256)) * (4 * MIB // 256)
    cluster.s3().put_object(Bucket=bucket, Key="kept", Body=kept)
    wait_until("three copies", lambda: stored(cluster) >= 12 * MIB, 30)
    before = stored(cluster)
    connection = begin_put(cluster, bucket, "lost", 40 * MIB, b"y" * (8 * MIB))
    wait_until("chunks of the upload", lambda: stored(cluster) >= before + 15 * MIB, 30)
    cluster.kill("gateway", hold=False)
    connection.close()
    wait_until("the chunks to be dropped", lambda: stored(cluster) < before + MIB, 60)
    wait_until("the gateway to be back", lambda: cluster.healthy("gateway", "ready"), 30)
    assert cluster.s3().get_object(Bucket=bucket, Key="kept")["Body"].read() == kept
    wait_until("the proof", lambda: find(cluster, "garbage-collection")["proved"], 30)
    assert cluster.adm("repair-status")["garbage"]["chunks_dropped"] >= 15


def test_no_hint_is_lost_by_kills_of_those_who_keep_and_deliver(cluster, bucket):
    """The replicator, and the nodes that keep the hints, are killed again and again while hints are noted and delivered. Only
    hints may bring what was missed: the comparison rests."""
    hints = [task for task in tasks(cluster).values() if task["kind"] == "hints"]
    replicator = hints[0]["id"].split(":")[0]
    cluster.adm("tasks", "pause", find(cluster, "anti-entropy")["id"])
    cluster.adm("mq-suspend", replicator, "hints@storage-1")
    cluster.kill("storage-3")
    for number in range(MISSED):
        cluster.s3().put_object(Bucket=bucket, Key=f"hint-{number}", Body=b"h" * 3000)
    wait_until("the hints to be noted", lambda: queued(cluster, "storage-1") >= MISSED, 30)
    cluster.kill(replicator, hold=False)
    cluster.kill("storage-1", hold=False)
    wait_until("the keeper to be back", lambda: queued(cluster, "storage-1") >= MISSED, 60)
    wait_until("the replicator to be back", lambda: cluster.healthy(replicator, "ready"), 60)
    def is_suspended():
        queues = cluster.adm("mq-stats", replicator)["mq_stats"]
        return ("hints@storage-1", "suspending") in {(queue["id"], queue["state"]) for queue in queues}
    wait_until("the queue to rest still", is_suspended, 10)
    cluster.release("storage-3")
    cluster.adm("mq-resume", replicator, "hints@storage-1")
    for _ in range(3):
        cluster.kill(replicator, hold=False)
        wait_until("the replicator to be back", lambda: cluster.healthy(replicator, "ready"), 60)
    wait_until("all hints to be delivered", lambda: queued(cluster, "storage-1") == queued(cluster, "storage-2") == 0, 60)
    for number in range(MISSED):
        rows = cluster.adm("whereis", f"{bucket}/hint-{number}")["assigned_info"]
        assert len({row["clock"] for row in rows}) == 1 and all(row["present"] for row in rows), rows


def queued(cluster, node):
    """-1 while the node does not answer."""
    try:
        return cluster.adm("mq-stats", node)["mq_stats"][0]["messages"]
    except AssertionError:
        return -1
