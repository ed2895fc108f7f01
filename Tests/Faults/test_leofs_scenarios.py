"""The scenarios that LeoFS tests itself with (leofs_test2: SCENARIO-1 to 7), on four storage nodes, and the failure scenarios that it
planned and never made. In each, what was put is read back from every gateway and all replicas are proved equal.

Where LeoFS has two replicas of which one suffices, these have three of which two do: Martlet acknowledges nothing on less.
"""
import random
import re
import shutil
import threading

import pytest
import clients
import hosts
import judge
import run

OBJECTS = 300
SIZES = [0, 100, 4096, 20_000, 300_000]

pytestmark = pytest.mark.long


class Bucket:
    """Objects of a scenario: what is there and what is not, as the tests of LeoFS count it."""

    def __init__(self, made, seed=1):
        self.cluster, self.rng, self.present, self.deleted = made, random.Random(seed), {}, set()

    def request(self, method, key, query=None, body=b"", gateway=None):
        return judge.request(self.cluster, gateway or self.rng.choice(self.cluster.gateways), method, key, query, body)

    def put_objects(self, count=OBJECTS):
        for _ in range(count):
            number = len(self.present) + len(self.deleted)
            key, size = f"object/{number}", SIZES[number % len(SIZES)]
            assert self.request("PUT", key, body=clients.content(key, size)).status == 200, key
            self.present[key] = size

    def del_objects(self, share=0.05):
        for key in self.rng.sample(sorted(self.present), max(1, int(len(self.present) * share))):
            assert self.request("DELETE", key).status == 204
            del self.present[key]
            self.deleted.add(key)

    def get_objects(self, share=1.0):
        for key in self.rng.sample(sorted(self.present), int(len(self.present) * share)):
            answer = self.request("GET", key)
            assert (answer.status, answer.body) == (200, clients.content(key, self.present[key])), key
        for key in self.deleted:
            assert self.request("GET", key).status == 404, f"{key} has come back"

    def check_redundancies(self):
        """Every node has, proved by digests, what it should; a sample is looked at replica by replica."""
        judge.replicas_equal(self.cluster, None, None, None, 90)
        for key in self.rng.sample(sorted(self.present), 10):
            rows = self.cluster.adm("whereis", f"{clients.BUCKET}/{key}")["assigned_info"]
            assert len(rows) == 3 and len({row["clock"] for row in rows}) == 1 and all(row["present"] for row in rows), rows

    def watch_mq(self):
        def queued():
            return sum(q["messages"] for node in self.cluster.ring_nodes() for q in self.cluster.adm("mq-stats", node)["mq_stats"])
        hosts.wait_for("all queues to be empty", lambda: queued() == 0, 60)

    def rebalance(self):
        self.cluster.adm("rebalance")

        def over():
            return self.cluster.adm("rebalance-status")["phase"] == "done"
        hosts.wait_for("the rebalance", over, 90)


@pytest.fixture
def made():
    with run.cluster(nodes=4, spares=1, settings=["repair.release_grace=2s", "repair.release_interval=1s"]) as cluster:
        yield cluster


@pytest.fixture
def bucket(made):
    return Bucket(made)


def attach(made, node):
    made.start(node)
    hosts.wait_for(f"{node} to attach", lambda: made.states().get(node) == "attached", 30)


def restart(made, node):
    made.start(node)
    hosts.wait_for(f"{node} to run", lambda: made.healthy(node, "ready") and made.states().get(node) == "running", 30)


def test_scenario_1_general(made, bucket):
    assert bucket.request("GET", "never-put").status == 404
    bucket.put_objects()
    bucket.get_objects()
    bucket.del_objects(0.01)
    bucket.get_objects()
    assert made.adm("recover-file", f"{clients.BUCKET}/object/1")["proved"]
    multipart_uploads(bucket)
    bucket.watch_mq()
    made.adm("mq-suspend", "replicator", "hints@storage-1")
    made.adm("mq-resume", "replicator", "hints@storage-1")
    compact(made)
    assert all(held(made, node) > 0 for node in made.storage_nodes)
    made.adm("diagnose-start", "storage-1")
    bucket.check_redundancies()
    bucket.get_objects()


def multipart_uploads(bucket):
    """Normal, with parts at the same time, aborted without leftovers, and completed wrongly."""
    parts = [clients.content(f"part-{i}", 5 << 20) for i in range(2)]
    for key, parallel in (("large/normal", False), ("large/parallel", True)):
        upload = begin(bucket, key)
        etags = {}

        def put(number):
            answer = bucket.request("PUT", key, {"partNumber": number, "uploadId": upload}, parts[number - 1], "gateway-1")
            etags[number] = answer.headers["ETag"].strip('"')
        threads = [threading.Thread(target=put, args=(number,)) for number in (1, 2)]
        for thread in threads:
            thread.start()
            if not parallel:
                thread.join()
        for thread in threads:
            thread.join()
        assert complete(bucket, key, upload, etags).status == 200
        assert bucket.request("GET", key).body == b"".join(parts)
    upload = begin(bucket, "large/aborted")
    bucket.request("PUT", "large/aborted", {"partNumber": 1, "uploadId": upload}, parts[0])
    assert bucket.request("DELETE", "large/aborted", {"uploadId": upload}).status == 204
    listed = bucket.request("GET", "", {"list-type": 2, "prefix": "large/"}).body
    assert b"large/aborted" not in listed and listed.count(b"<Key>") == 2
    assert complete(bucket, "large/normal", "0" * 32, {1: "0" * 32}).code == "NoSuchUpload"
    upload = begin(bucket, "large/wrong")
    assert complete(bucket, "large/wrong", upload, {1: "0" * 32}).status == 400
    assert bucket.request("DELETE", "large/wrong", {"uploadId": upload}).status == 204


def begin(bucket, key):
    return re.search(rb"<UploadId>([^<]+)<", bucket.request("POST", key, {"uploads": ""}).body)[1].decode()


def complete(bucket, key, upload, etags):
    parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n, etag in sorted(etags.items()))
    return bucket.request("POST", key, {"uploadId": upload}, f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode())


def held(made, node):
    """Bytes that are no garbage."""
    return sum(disk["active_size"] for disk in made.adm("du", node)["disks"])


def compact(made):
    for node in made.ring_nodes():
        made.adm("compact-start", node)
        hosts.wait_for(f"the compaction of {node}",
                       lambda: made.adm("compact-status", node)["compaction_status"]["status"] != "running", 60)


@pytest.mark.parametrize("first", [True, False], ids=["1a_before_all_else", "3_with_objects"])
def test_scenario_takeover(made, bucket, first):
    bucket.put_objects(60 if first else OBJECTS)
    attach(made, "storage-5")
    made.adm("takeover", "storage-2", "storage-5")
    bucket.rebalance()
    made.kill("storage-2")
    assert sorted(made.ring_nodes()) == ["storage-1", "storage-3", "storage-4", "storage-5"]
    bucket.watch_mq()
    bucket.get_objects()
    bucket.check_redundancies()


def test_scenario_2_detach(made, bucket):
    bucket.put_objects()
    made.adm("detach", "storage-4")
    made.adm("mq-suspend", "replicator", "hints@storage-1")
    bucket.rebalance()
    made.adm("mq-resume", "replicator", "hints@storage-1")
    made.kill("storage-4")
    bucket.watch_mq()
    bucket.get_objects()
    bucket.check_redundancies()


def test_scenario_4_maintenance(made, bucket):
    bucket.put_objects()
    before = held(made, "storage-3")
    made.adm("suspend", "storage-3")
    assert made.stop_gracefully("storage-3") == 0
    bucket.get_objects()
    made.start("storage-3")
    hosts.wait_for("storage-3 to be heard", lambda: made.healthy("storage-3", "ready"), 30)
    made.adm("resume", "storage-3")
    hosts.wait_for("storage-3 to run", lambda: made.states().get("storage-3") == "running", 30)
    assert held(made, "storage-3") == before
    bucket.put_objects(60)
    bucket.check_redundancies()
    bucket.get_objects()


def test_scenario_5_attach(made, bucket):
    bucket.put_objects()
    attach(made, "storage-5")
    bucket.rebalance()
    assert len(made.ring_nodes()) == 5
    bucket.watch_mq()
    bucket.get_objects()
    bucket.check_redundancies()
    compact(made)
    bucket.check_redundancies()
    bucket.get_objects()


def test_scenario_6_lost_disk(made, bucket):
    """The node has lost what it had, and says so: it answers nothing until it is replaced, and votes when it is whole."""
    bucket.put_objects()
    node, disk = "storage-2", made.home("storage-2") / "disk-1"
    made.kill(node)
    shutil.rmtree(disk)
    made.start(node)
    hosts.wait_for("the node to serve without its disk", lambda: made.adm("disk", "list", node, check=False), 30)
    bucket.get_objects(0.2)
    disk.mkdir()
    made.adm("disk", "replace", node, disk)
    task = made.adm("recover-node", node)["id"]

    def recovered():
        tasks = {t["id"]: t for t in made.adm("tasks")["tasks"]}
        return tasks[task]["state"] == "done" and tasks[task]["proved"]
    hosts.wait_for("recover-node", recovered, 120)
    hosts.wait_for("the node to vote", lambda: made.adm("disk", "list", node)["disks"][0]["doubtful_slots"] == 0, 60)
    bucket.watch_mq()
    bucket.get_objects()
    bucket.check_redundancies()


def test_scenario_7_scrub(made, bucket):
    """The bucket goes with everything in it; objects of which a replica misses some are made equal by recover-consistency."""
    bucket.put_objects(100)
    for key in sorted(bucket.present):
        assert bucket.request("DELETE", key).status == 204
    assert bucket.request("DELETE", "").status == 204
    assert bucket.request("GET", "object/1").code == "NoSuchBucket"
    assert bucket.request("PUT", "").status == 200
    for key in bucket.present:
        assert bucket.request("GET", key).status == 404
    bucket.present = {}
    made.kill("storage-1")
    bucket.put_objects(100)
    restart(made, "storage-1")
    for node in made.ring_nodes():
        made.adm("recover-consistency", node)
    bucket.check_redundancies()
    bucket.get_objects()


# Planned for LeoFS and never made

def test_one_storage_node_is_dead_and_fails_back(made, bucket):
    bucket.put_objects(60)
    made.kill("storage-4")
    bucket.put_objects(60)
    bucket.get_objects()
    bucket.del_objects()
    restart(made, "storage-4")
    bucket.watch_mq()
    bucket.check_redundancies()
    bucket.get_objects()


def test_too_few_replicas_give_the_expected_error(made, bucket):
    bucket.put_objects(60)
    for node in ("storage-1", "storage-2", "storage-3"):
        made.kill(node)
    statuses = {bucket.request("PUT", f"refused/{i}", body=b"x").status for i in range(5)}
    assert statuses == {503}
    assert {bucket.request("GET", "object/1").status for _ in range(3)} == {503}
    for node in ("storage-1", "storage-2", "storage-3"):
        restart(made, node)
    bucket.get_objects()
    bucket.check_redundancies()


@pytest.mark.parametrize("compacting, rebalancing", [(True, False), (False, True), (True, True)],
                         ids=["compaction", "rebalance", "compaction_and_rebalance"])
def test_a_node_dies_while_work_is_ongoing(made, bucket, compacting, rebalancing):
    bucket.put_objects(200)
    bucket.del_objects(0.3)
    if rebalancing:
        attach(made, "storage-5")
        made.adm("rebalance")
    if compacting:
        for node in made.storage_nodes:
            made.adm("compact-start", node)
    made.kill("storage-3")
    bucket.put_objects(40)
    bucket.get_objects()
    restart(made, "storage-3")
    if rebalancing:
        hosts.wait_for("the rebalance", lambda: made.adm("rebalance-status")["phase"] == "done", 90)
    bucket.get_objects()
    bucket.check_redundancies()


@pytest.mark.parametrize("read", [1, 2, 3])
def test_reads_and_writes_during_a_rebalance(made, bucket, read):
    made.adm("update-consistency-level", "2", str(read), "2")
    bucket.put_objects(100)
    # With R = 1 a read may be stale: here nothing is new any more when the reads begin.
    bucket.watch_mq()
    attach(made, "storage-5")
    made.adm("rebalance")
    bucket.get_objects()
    bucket.put_objects(60)
    bucket.del_objects()
    hosts.wait_for("the rebalance", lambda: made.adm("rebalance-status")["phase"] == "done", 90)
    bucket.check_redundancies()
    bucket.get_objects()
