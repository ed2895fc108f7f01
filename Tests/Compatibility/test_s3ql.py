"""What S3QL 6 sends, request by request, as it was recorded; and that what it needs comes back."""
import base64
import http.client
import json
import threading
import urllib.parse
import uuid

import pytest

from conftest import md5, pattern
from swiftapi import send

PREFIX = "fs/"
METADATA = {
    "X-Object-meta-000": "'format_version': 2,", "X-Object-meta-001": "'compression': 'LZMA',", "X-Object-meta-002": "'encryption': 'AES_v2',",
    "X-Object-meta-003": "'data': b'" + base64.b64encode(pattern(160)).decode() + "',", "X-Object-meta-004": "'a=b+c/d': ', ,',",
    "X-Object-meta-format": "raw2", "X-Object-meta-md5": base64.b64encode(pattern(16)).decode(),
}


class Connection:
    """One kept connection, as S3QL keeps it; its headers go out as they are given."""

    def __init__(self, storage, token):
        self.storage, self.token = urllib.parse.urlsplit(storage), token
        self.http = http.client.HTTPConnection(self.storage.hostname, self.storage.port, timeout=20)
        self.http.connect()

    def send(self, method, path, headers=None, body=b"", expects=False):
        """With `expects` the body waits for the continuation."""
        self.http.putrequest(method, self.storage.path + path, skip_accept_encoding=True)
        for name, value in {"X-Auth-Token": self.token, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.http.putheader(name, value)
        if expects:
            self.http.putheader("Expect", "100-continue")
            self.http.endheaders()
            assert self.http.sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            self.http.send(body)
        else:
            self.http.endheaders(body or None)
        response = self.http.getresponse()
        response.content = response.read()
        return response


@pytest.fixture(params=["v1", "v2", "v3"])
def connection(request, demo, container):
    if request.param == "v1":
        answer = send("GET", "/v1.0", {"X-Auth-User": f"{demo.project}:{demo.user}", "X-Auth-Key": demo.password})
        token, url = answer.headers["x-auth-token"], answer.headers["x-storage-url"]
    elif request.param == "v2":
        answer = send("POST", "/v2.0/tokens", {"Accept": 'application/json; charset="utf-8"'}, {"auth": {
            "passwordCredentials": {"username": demo.user, "password": demo.password}, "tenantName": demo.project}})
        token = answer.json["access"]["token"]["id"]
        url = next(s["endpoints"][0]["publicURL"] for s in answer.json["access"]["serviceCatalog"] if s["type"] == "object-store")
    else:
        domain = {"id": "default"}
        answer = send("POST", "/v3/auth/tokens", {"Accept": 'application/json; charset="utf-8"'}, {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"name": demo.user, "password": demo.password, "domain": domain}}},
            "scope": {"project": {"id": demo.path.split("AUTH_")[1], "domain": domain}}}})
        token = answer.headers["x-subject-token"]
        url = next(e["url"] for s in answer.json["token"]["catalog"] if s["type"] == "object-store"
                   for e in s["endpoints"] if e["interface"] == "public" and e["region"] == "RegionOne")
    return Connection(url, token), "/" + container


def test_dialogue(connection):
    """All request shapes on one connection."""
    s3ql, container = connection
    info = send("GET", "/info")
    assert info.status == 200 and info.headers["content-type"].lower() in ("application/json", "application/json; charset=utf-8")
    assert s3ql.send("GET", f"{container}/?limit=1").status in (200, 204)
    assert s3ql.send("GET", f"/{uuid.uuid4().hex}/?limit=1").status == 404
    key = f"{container}/{PREFIX}s3ql_data_1"
    assert s3ql.send("HEAD", key).status == 404
    data = pattern(200_000)
    headers = {"Content-Type": "application/octet-stream", **METADATA}
    made = s3ql.send("PUT", key, headers, data, expects=True)
    assert made.status == 201 and made.content == b"" and made.getheader("Etag") == md5(data)
    for method in ("HEAD", "GET"):
        got = s3ql.send(method, key, {"Accept-Encoding": "identity"})
        assert got.status == 200 and got.getheader("Content-Length") == str(len(data))
        assert got.getheader("ETag").strip('"') == md5(data)
        for name, value in METADATA.items():
            assert got.getheader(name) == value
    assert got.content == data
    assert s3ql.send("DELETE", key).status == 204 and s3ql.send("DELETE", key).status == 404


def test_listings(connection):
    s3ql, container = connection
    names = [f"{PREFIX}s3ql_data_{i}" for i in range(25)]
    for name in names:
        s3ql.send("PUT", f"{container}/{name}", METADATA, b"x", expects=True)
    found, marker = [], ""
    while True:
        query = urllib.parse.urlencode({"prefix": PREFIX + "s3ql_data_", "limit": 10, "format": "json", **({"marker": marker} if marker else {})})
        page = s3ql.send("GET", f"{container}/?{query}")
        if page.status == 204:
            break
        assert page.status == 200 and page.getheader("Content-Type") == "application/json; charset=utf-8"
        entries = [e["name"] for e in json.loads(page.content)]
        found += entries
        if len(entries) < 10:
            break
        marker = entries[-1]
    assert found == sorted(names)
    lines = "\n".join(f"{container}/{urllib.parse.quote(n)}" for n in [*names, PREFIX + "nothing"])
    bulk = s3ql.send("POST", f"{container}/?bulk-delete", {
        "Content-Type": "text/plain; charset=utf-8", "Accept": "application/json"}, lines.encode())
    report = json.loads(bulk.content)
    assert bulk.status == 200 and report["Response Status"] == "200 OK"
    assert (report["Number Deleted"], report["Number Not Found"], report["Errors"]) == (25, 1, [])


def test_an_old_token_is_401(demo, container):
    """So that S3QL gets a new one; also when it waits for the continuation, which then never comes."""
    s3ql = Connection(demo.url, "x" * 180)
    assert s3ql.send("GET", f"/{container}/?limit=1").status == 401
    s3ql.http.putrequest("PUT", s3ql.storage.path + f"/{container}/o")
    for name, value in (("X-Auth-Token", "x"), ("Content-Length", "5"), ("Expect", "100-continue")):
        s3ql.http.putheader(name, value)
    s3ql.http.endheaders()
    assert s3ql.http.getresponse().status == 401


def test_dropped_connections(demo, container):
    """In the middle of a body, again and again: what was there stays, and the next connection works."""
    demo.put(f"/{container}/o", b"before")
    for _ in range(5):
        s3ql = Connection(demo.url, demo.token)
        s3ql.http.putrequest("PUT", s3ql.storage.path + f"/{container}/o")
        s3ql.http.putheader("X-Auth-Token", demo.token)
        s3ql.http.putheader("Content-Length", "100000")
        s3ql.http.endheaders(b"x" * 50_000)
        s3ql.http.close()
    assert demo.send("GET", f"/{container}/o").body == b"before"


def test_many_connections(demo, container):
    """As many as S3QL opens."""
    faults = []

    def work(number):
        try:
            s3ql = Connection(demo.url, demo.token)
            for turn in range(5):
                data = pattern(20_000, seed=number * 10 + turn)
                path = f"/{container}/{PREFIX}s3ql_data_{number}_{turn}"
                assert s3ql.send("PUT", path, METADATA, data, expects=True).status == 201
                assert s3ql.send("GET", path).content == data
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert demo.send("HEAD", f"/{container}").headers["x-container-object-count"] == "160"


def test_s3_signature_v4_as_s3c4(s3, bucket):
    """`s3c4://`: list version 1, metadata, bulk delete with Content-MD5."""
    name = PREFIX + "s3ql_data_1"
    listed = s3.list_objects(Bucket=bucket, Prefix=PREFIX, MaxKeys=1)
    assert listed["IsTruncated"] is False and "Contents" not in listed
    metadata = {n[len("X-Object-meta-"):]: v for n, v in METADATA.items()}
    made = s3.put_object(Bucket=bucket, Key=name, Body=b"data", Metadata=metadata)
    assert made["ETag"] == f'"{md5(b"data")}"'
    assert s3.head_object(Bucket=bucket, Key=name)["Metadata"] == metadata
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name}, {"Key": "nothing"}]})
    assert {d["Key"] for d in done["Deleted"]} == {name, "nothing"} and "Errors" not in done
