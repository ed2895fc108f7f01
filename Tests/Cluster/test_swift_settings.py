"""What Swift's users see of processes with settings of their own: objects that repair removes at their time, and slow writers."""
import http.client
import json
import time
import urllib.parse
import uuid

import botocore.exceptions
import pytest
from conftest import wait_until

CLUSTER_OPTIONS = ["--nodes", "1"] + [part for item in (
    "repair.lifecycle_interval=1s", "swift.container_ratelimit=5", "swift.account_ratelimit=20",
    "swift.ratelimit_wait=1s") for part in ("--set", item)]


class Swift:
    def __init__(self, cluster):
        self.cluster, self.env = cluster, cluster.env
        status, headers, _ = self.request("GET", self.env["MARTLET_SWIFT_AUTH_V1"], {
            "X-Auth-User": f"{self.env['MARTLET_KEYSTONE_TENANT']}:{self.env['MARTLET_KEYSTONE_USER']}",
            "X-Auth-Key": self.env["MARTLET_KEYSTONE_PASSWORD"]})
        assert status == 200
        self.url, self.token = headers["x-storage-url"], headers["x-auth-token"]

    @staticmethod
    def request(method, url, headers, body=b""):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
        try:
            connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers)
            answer = connection.getresponse()
            return answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def send(self, method, path, body=b"", **headers):
        named = {n.replace("_", "-"): v for n, v in headers.items()}
        return self.request(method, self.url + path, {"X-Auth-Token": self.token, **named}, body)


@pytest.fixture(scope="module")
def swift(cluster):
    return Swift(cluster)


@pytest.fixture
def container(swift):
    name = f"box-{uuid.uuid4().hex[:8]}"
    assert swift.send("PUT", f"/{name}")[0] == 201
    return name


def names(swift, container):
    return swift.send("GET", f"/{container}")[2].decode().splitlines()


def test_repair_removes_what_has_expired(cluster, swift, container):
    removed = cluster.metric("repair", "martlet_repair_lifecycle_removed_total")
    assert swift.send("PUT", f"/{container}/soon", b"x", X_Delete_After="2")[0] == 201
    assert swift.send("PUT", f"/{container}/late", b"x", X_Delete_After="1000")[0] == 201
    assert swift.send("PUT", f"/{container}/posted", b"x")[0] == 201
    assert swift.send("POST", f"/{container}/posted", X_Delete_After="1")[0] == 202
    over = int(time.time()) + 10
    assert swift.send("PUT", f"/{container}/spared", b"x", X_Delete_At=str(over))[0] == 201
    assert swift.send("POST", f"/{container}/spared", X_Object_Meta_A="1")[0] == 202
    wait_until("the expired objects to go", lambda: names(swift, container) == ["late", "spared"], 30)
    wait_until("the count", lambda: cluster.metric("repair", "martlet_repair_lifecycle_removed_total") == removed + 2, 10)
    assert cluster.s3().list_objects_v2(Bucket=container)["KeyCount"] == 2
    wait_until("the time that was taken back to pass", lambda: time.time() > over + 2)
    assert names(swift, container) == ["late", "spared"]


def test_repair_removes_segments_that_were_left_to_it(swift, container):
    for number in range(3):
        assert swift.send("PUT", f"/{container}/seg/{number}", b"x")[0] == 201
    manifest = json.dumps([{"path": f"/{container}/seg/{n}"} for n in range(2)]).encode()
    assert swift.send("PUT", f"/{container}/large?multipart-manifest=put", manifest)[0] == 201
    assert swift.send("DELETE", f"/{container}/large?multipart-manifest=delete&async=yes")[0] == 204
    wait_until("the segments to go", lambda: names(swift, container) == ["seg/2"], 30)
    assert swift.send("GET", f"/{container}/seg/2")[2] == b"x"


def test_what_has_expired_stays_a_version(cluster, swift, container):
    assert swift.send("POST", f"/{container}", X_Versions_Enabled="true")[0] == 204
    assert swift.send("PUT", f"/{container}/o", b"x", X_Delete_After="1")[0] == 201

    def listed():
        return json.loads(swift.send("GET", f"/{container}?versions&format=json")[2])

    wait_until("the delete marker", lambda: len(listed()) == 2, 30)
    marker, version = listed()
    assert marker["is_latest"] and marker["content_type"].startswith("application/x-deleted")
    assert swift.send("GET", f"/{container}/o")[0] == 404
    assert swift.send("GET", f"/{container}/o?version-id={version['version_id']}")[2] == b"x"


def test_rates(swift, container):
    info = json.loads(swift.request("GET", swift.env["MARTLET_KEYSTONE_URL"] + "/info", {})[2])
    assert info["ratelimit"]["account_ratelimit"] == 20 and info["ratelimit"]["max_sleep_time_seconds"] == 1
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda i: swift.send("PUT", f"/{container}/{i}", b"x"), range(64)))
    statuses = [status for status, _, _ in answers]
    assert set(statuses) == {201, 498} and len(names(swift, container)) == statuses.count(201)
    assert next(body for status, _, body in answers if status == 498) == b"Slow down"
    # Reads are free; and whoever waits may write again.
    assert all(swift.send("HEAD", f"/{container}/{statuses.index(201)}")[0] == 200 for _ in range(50))
    wait_until("a place to write", lambda: swift.send("PUT", f"/{container}/again", b"x")[0] == 201, 10)


def test_a_missing_quorum_is_503(cluster, swift, container):
    """Never a 4xx: S3QL dies of one. And with a time to wait."""
    assert swift.send("PUT", f"/{container}/o", b"before")[0] == 201
    s3 = cluster.s3()
    cluster.kill("storage-1")
    try:
        for method, path, body in [("PUT", "/o", b"x"), ("GET", "/o", b""), ("HEAD", "/o", b""), ("DELETE", "/o", b""), ("GET", "?limit=1", b""),
                                   ("GET", "?format=json&prefix=p", b""), ("POST", "/o", b"")]:
            status, headers, _ = swift.send(method, f"/{container}{path}", body)
            assert status == 503 and int(headers["retry-after"]) >= 1, (method, path, status)
        status, _, body = swift.send("POST", "?bulk-delete", f"/{container}/o".encode(), Accept="application/json")
        assert status == 200 and json.loads(body)["Errors"][0][1].startswith("503")
        for call in (lambda: s3.get_object(Bucket=container, Key="o"), lambda: s3.put_object(Bucket=container, Key="o", Body=b"x"),
                     lambda: s3.list_objects(Bucket=container)):
            with pytest.raises(botocore.exceptions.ClientError) as caught:
                call()
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    finally:
        cluster.release("storage-1")
    wait_until("the object", lambda: swift.send("GET", f"/{container}/o")[0] == 200, 60)
