"""Many clients at one key: conditional writes decide between them, also while storage nodes die; readers see whole versions only."""
import concurrent.futures
import hashlib
import json
import random
import threading

import botocore.exceptions
import pytest
from conftest import wait_until
from writers import content

CLIENTS, ROUNDS = 50, 9
WRITERS, INCREMENTS = 8, 20
NODES = ["storage-1", "storage-2", "storage-3"]
LOST = {"PreconditionFailed", "ConditionalRequestConflict"}


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="contention")
    return "contention"


def outcome(action):
    """200, or the code of the error."""
    try:
        return action()["ResponseMetadata"]["HTTPStatusCode"]
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]


class Killer:
    """Kills one node after another while a test goes on, and lets each return before it takes the next."""

    def __init__(self, cluster):
        self.cluster, self.kills, self.stopping = cluster, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(60)

    def run(self):
        while not self.stopping.is_set():
            node = NODES[self.kills % len(NODES)]
            self.cluster.kill(node)
            self.kills += 1
            self.stopping.wait(1)
            self.cluster.release(node)
            self.stopping.wait(1)


def test_one_of_fifty_creates_a_key_while_a_node_is_killed(cluster, bucket):
    s3 = cluster.s3(max_pool_connections=CLIENTS)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(ROUNDS):
            key, start = f"race-{number}", threading.Barrier(CLIENTS + 1)

            def create(client):
                start.wait(120)
                return outcome(lambda: s3.put_object(Bucket=bucket, Key=key, Body=f"client {client}", IfNoneMatch="*"))

            running = [pool.submit(create, client) for client in range(CLIENTS)]
            start.wait(120)
            # In two rounds of three a node dies while they race: sooner or later.
            victim = NODES[number // 3] if number % 3 else None
            if victim:
                if number % 3 == 2:
                    concurrent.futures.wait(running, 30, concurrent.futures.FIRST_COMPLETED)
                cluster.kill(victim)
            outcomes = [one.result(60) for one in running]
            winners = [client for client, result in enumerate(outcomes) if result == 200]
            assert len(winners) == 1 and set(outcomes) - {200} <= LOST, (number, victim, outcomes)
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == f"client {winners[0]}".encode()
            if victim:
                cluster.release(victim)


def test_a_counter_loses_no_increment_while_nodes_are_killed(cluster, bucket):
    """The document counts for each writer, so that one whose answer was lost can tell whether it took effect."""
    cluster.s3().put_object(Bucket=bucket, Key="counter", Body=json.dumps({"sum": 0}))
    conflicts, unknown = [], []

    def increment(writer):
        s3, done = cluster.s3(), 0
        while done < INCREMENTS:
            try:
                got = s3.get_object(Bucket=bucket, Key="counter")
                document = json.loads(got["Body"].read())
                assert document.get(writer, 0) in (done, done + 1), "an increment was lost, or done twice"
                if document.get(writer, 0) > done:
                    done += 1
                    continue
                document |= {"sum": document["sum"] + 1, writer: done + 1}
                s3.put_object(Bucket=bucket, Key="counter", Body=json.dumps(document), IfMatch=got["ETag"])
                done += 1
            except botocore.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                (conflicts if code in LOST else unknown).append(code)
                assert code in LOST | {"ServiceUnavailable", "SlowDown", "InternalError"}, code
            except botocore.exceptions.BotoCoreError as error:
                unknown.append(str(error))

    with Killer(cluster) as killer, concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(increment, [f"writer-{number}" for number in range(WRITERS)]))
    counted = json.loads(cluster.s3().get_object(Bucket=bucket, Key="counter")["Body"].read())
    assert counted.pop("sum") == WRITERS * INCREMENTS == sum(counted.values())
    print(f"{killer.kills} kills, {len(conflicts)} conflicts, {len(unknown)} answers that were lost or 5xx")
    assert killer.kills > 0 and conflicts


class Versions:
    """What may be read under a key: everything of which the completion was begun, nothing that was aborted."""

    def __init__(self):
        self.names, self.lock = {}, threading.Lock()

    def allow(self, data, name):
        with self.lock:
            self.names[hashlib.md5(data).digest()] = name

    def name(self, data):
        with self.lock:
            return self.names.get(hashlib.md5(data).digest())


def overwrite(s3, bucket, writer, versions, turns=8):
    """Uploads in parts; every second one is aborted, every third turn is a plain PUT."""
    rng, completed = random.Random(writer), 0
    for turn in range(turns):
        name = f"{writer}/{turn}"
        parts = [content("multipart", f"{name}/{part}", size) for part, size in enumerate((5 << 20, 5 << 20, rng.randrange(1, 200_000)))]
        if turn % 3 == 2:
            versions.allow(parts[2], name)
            s3.put_object(Bucket=bucket, Key="versions", Body=parts[2])
            continue
        where = {"Bucket": bucket, "Key": "versions"}
        upload = s3.create_multipart_upload(**where)["UploadId"]
        listed = [{"PartNumber": number, "ETag": s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)["ETag"]}
                  for number, part in enumerate(parts, 1)]
        if turn % 2:
            s3.abort_multipart_upload(**where, UploadId=upload)
        else:
            versions.allow(b"".join(parts), name)
            s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": listed})
            completed += 1
    return completed


def test_every_read_beside_overwrites_and_aborts_is_one_whole_version(cluster, bucket):
    versions, stopping, faults, seen = Versions(), threading.Event(), [], set()
    first = content("multipart", "first", 6 << 20)
    versions.allow(first, "first")
    cluster.s3().put_object(Bucket=bucket, Key="versions", Body=first)

    def read():
        s3 = cluster.s3()
        while not stopping.is_set():
            got = s3.get_object(Bucket=bucket, Key="versions")
            data = got["Body"].read()
            name = versions.name(data)
            seen.add(name)
            if name is None or len(data) != got["ContentLength"]:
                faults.append((len(data), got["ContentLength"], got["ETag"]))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            writers = [pool.submit(overwrite, cluster.s3(), bucket, f"writer-{number}", versions) for number in range(4)]
            completed = sum(writer.result(240) for writer in writers)
        finally:
            stopping.set()
        for reader in readers:
            reader.result(60)
    assert faults == [] and completed == 4 * 3 and len(seen) > 3, (faults, completed, seen)
    uploads = lambda: cluster.s3().list_multipart_uploads(Bucket=bucket).get("Uploads", [])  # noqa: E731
    wait_until("no upload to be left", lambda: not uploads(), 10)
