"""Versions by Swift: X-Versions-Enabled, which is S3's versioning, and the older X-Versions-Location and X-History-Location."""
import urllib.parse
import uuid

import pytest

from conftest import md5, pattern, refused
from swiftapi import send

MARKER = "application/x-deleted;swift_versions_deleted=1"


@pytest.fixture
def versioned(demo):
    name = f"versions-{uuid.uuid4().hex[:12]}"
    assert demo.send("PUT", f"/{name}", {"X-Versions-Enabled": "true"}).status == 201
    yield name
    for entry in demo.send("GET", f"/{name}?versions&format=json").json:
        assert demo.send("DELETE", f"/{name}/{urllib.parse.quote(entry['name'])}?version-id={entry['version_id']}").status == 204
    assert demo.send("DELETE", f"/{name}").status == 204


def versions(demo, container, query=""):
    return demo.send("GET", f"/{container}?versions&format=json{query}").json


def test_versions_of_an_object(demo, versioned):
    assert demo.send("HEAD", f"/{versioned}").headers["x-versions-enabled"] == "True"
    ids = [demo.put(f"/{versioned}/o", f"content {i}".encode(), X_Object_Meta_N=str(i)).headers["x-object-version-id"] for i in range(3)]
    assert len(set(ids)) == 3
    got = demo.send("GET", f"/{versioned}/o")
    assert got.body == b"content 2" and got.headers["x-object-version-id"] == ids[2]
    for number, version in enumerate(ids):
        for method in ("GET", "HEAD"):
            old = demo.send(method, f"/{versioned}/o?version-id={version}")
            assert old.status == 200 and old.headers["x-object-meta-n"] == str(number)
            assert old.headers["x-object-version-id"] == version and old.headers["etag"] == md5(f"content {number}".encode())
    assert demo.send("GET", f"/{versioned}/o?version-id={ids[0]}", {"Range": "bytes=0-2"}).body == b"con"
    listed = versions(demo, versioned)
    assert [e["version_id"] for e in listed] == ids[::-1] and [e["is_latest"] for e in listed] == [True, False, False]
    assert demo.send("GET", f"/{versioned}").lines == ["o"]


def test_delete_leaves_a_marker(demo, versioned):
    first = demo.put(f"/{versioned}/o", b"1").headers["x-object-version-id"]
    gone = demo.send("DELETE", f"/{versioned}/o")
    marker = gone.headers["x-object-version-id"]
    assert gone.status == 204 and marker != first
    assert demo.send("GET", f"/{versioned}/o").status == 404 and demo.send("DELETE", f"/{versioned}/o").status == 404
    assert demo.send("GET", f"/{versioned}/o?version-id={marker}").status == 404
    assert demo.send("GET", f"/{versioned}").status == 204
    listed = versions(demo, versioned)
    assert [(e["version_id"], e["is_latest"], e["content_type"] == MARKER, e["bytes"]) for e in listed] == [
        (marker, True, True, 0), (first, False, False, 1)]
    refusal = demo.send("DELETE", f"/{versioned}")
    assert refusal.status == 409 and refusal.text == "Delete all versions before deleting container."
    # Without its marker the object is back.
    removed = demo.send("DELETE", f"/{versioned}/o?version-id={marker}")
    assert removed.status == 204 and removed.headers["x-object-version-id"] == marker
    assert removed.headers["x-object-current-version-id"] == first
    assert demo.send("GET", f"/{versioned}/o").body == b"1"
    assert demo.send("DELETE", f"/{versioned}/o?version-id={first}").status == 204
    assert demo.send("DELETE", f"/{versioned}/o?version-id={first}").status == 404
    assert versions(demo, versioned) == []


def test_a_version_is_brought_back_and_copied(demo, versioned):
    first = demo.put(f"/{versioned}/o", b"first", X_Object_Meta_A="1").headers["x-object-version-id"]
    demo.put(f"/{versioned}/o", b"second")
    assert demo.send("PUT", f"/{versioned}/o?version-id={first}", body=b"x").status == 400
    back = demo.send("PUT", f"/{versioned}/o?version-id={first}")
    assert back.status == 201 and "x-copied-from" not in back.headers
    got = demo.send("GET", f"/{versioned}/o")
    assert (got.body, got.headers["x-object-meta-a"]) == (b"first", "1")
    assert got.headers["x-object-version-id"] == back.headers["x-object-version-id"] and len(versions(demo, versioned)) == 3
    second = versions(demo, versioned)[1]["version_id"]
    assert demo.send("COPY", f"/{versioned}/o?version-id={second}", {"Destination": f"/{versioned}/copy"}).status == 201
    assert demo.send("GET", f"/{versioned}/copy").body == b"second"
    assert demo.send("PUT", f"/{versioned}/copy2", {"X-Copy-From": f"/{versioned}/o?version-id={first}"}).status == 201
    assert demo.send("GET", f"/{versioned}/copy2").body == b"first"
    assert demo.send("POST", f"/{versioned}/o?version-id={first}", {"X-Object-Meta-A": "changed"}).status == 202
    assert demo.send("HEAD", f"/{versioned}/o?version-id={first}").headers["x-object-meta-a"] == "changed"
    assert demo.send("HEAD", f"/{versioned}/o").headers["x-object-meta-a"] == "1"


def test_suspended(demo, versioned):
    first = demo.put(f"/{versioned}/o", b"1").headers["x-object-version-id"]
    assert demo.send("POST", f"/{versioned}", {"X-Versions-Enabled": "false"}).status == 204
    assert demo.send("HEAD", f"/{versioned}").headers["x-versions-enabled"] == "False"
    assert "x-object-version-id" not in demo.put(f"/{versioned}/o", b"2").headers
    demo.put(f"/{versioned}/o", b"3")
    listed = versions(demo, versioned)
    assert [(e["version_id"], e["is_latest"]) for e in listed] == [("null", True), (first, False)]
    assert demo.send("GET", f"/{versioned}/o?version-id=null").body == b"3"
    assert demo.send("GET", f"/{versioned}/o?version-id={first}").body == b"1"


def test_pages_of_versions(demo, versioned):
    expected = []
    for name in ("a", "b/1", "b/2", "ü"):
        ids = [demo.put(f"/{versioned}/{urllib.parse.quote(name)}", bytes([i])).headers["x-object-version-id"] for i in range(3)]
        expected += [(name, version) for version in ids[::-1]]
    for way, order in (("", expected), ("&reverse=true", expected[::-1])):
        found, query = [], ""
        while page := versions(demo, versioned, f"&limit=2{way}{query}"):
            found += [(e["name"], e["version_id"]) for e in page]
            last = page[-1]
            query = f"&marker={urllib.parse.quote(last['name'])}&version_marker={last['version_id']}"
        assert found == order
    assert [e.get("subdir", e.get("name")) for e in versions(demo, versioned, "&delimiter=/&reverse=on")] == ["ü"] * 3 + ["b/"] + ["a"] * 3
    assert {e["name"] for e in versions(demo, versioned, "&marker=%C3%BC&end_marker=b/1&reverse=on")} == {"b/2"}
    assert [e.get("subdir", e.get("name")) for e in versions(demo, versioned, "&delimiter=/")] == ["a"] * 3 + ["b/"] + ["ü"] * 3
    assert {e["name"] for e in versions(demo, versioned, "&prefix=b/")} == {"b/1", "b/2"}
    assert {e["name"] for e in versions(demo, versioned, "&marker=a&end_marker=b/2")} == {"b/1"}
    assert demo.send("GET", f"/{versioned}?versions&version_marker={expected[0][1]}").status == 400
    assert demo.send("GET", f"/{versioned}?versions&marker=a&version_marker=nonsense").status == 400


def test_bad_versions(demo, versioned, container):
    demo.put(f"/{versioned}/o", b"1")
    demo.put(f"/{container}/o", b"1")
    assert demo.send("GET", f"/{versioned}/o?version-id=nonsense").status == 400
    assert demo.send("GET", f"/{versioned}/o?version-id={'0' * 31}1").status == 404
    assert demo.send("GET", f"/{container}/o?version-id={'0' * 31}1").status == 400
    assert demo.send("GET", f"/{container}/o?version-id=null").body == b"1"
    assert [(e["version_id"], e["is_latest"]) for e in versions(demo, container)] == [("null", True)]
    assert "x-versions-enabled" not in demo.send("HEAD", f"/{container}").headers


def test_versions_of_both_fronts(demo, s3, versioned):
    assert s3.get_bucket_versioning(Bucket=versioned)["Status"] == "Enabled"
    large = pattern(3_000_000)
    ids = [demo.put(f"/{versioned}/o", large).headers["x-object-version-id"],
           s3.put_object(Bucket=versioned, Key="o", Body=b"s3")["VersionId"]]
    assert [v["VersionId"] for v in s3.list_object_versions(Bucket=versioned)["Versions"]] == ids[::-1]
    assert [e["version_id"] for e in versions(demo, versioned)] == ids[::-1]
    assert s3.get_object(Bucket=versioned, Key="o", VersionId=ids[0])["Body"].read() == large
    assert demo.send("GET", f"/{versioned}/o?version-id={ids[1]}").body == b"s3"
    marker = demo.send("DELETE", f"/{versioned}/o").headers["x-object-version-id"]
    assert s3.list_object_versions(Bucket=versioned)["DeleteMarkers"][0]["VersionId"] == marker
    with refused("NoSuchKey"):
        s3.get_object(Bucket=versioned, Key="o")
    s3.delete_object(Bucket=versioned, Key="o", VersionId=marker)
    assert demo.send("GET", f"/{versioned}/o").body == b"s3"
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    assert demo.send("HEAD", f"/{versioned}").headers["x-versions-enabled"] == "False"


def test_rights_on_versions(demo, versioned):
    version = demo.put(f"/{versioned}/o", b"1").headers["x-object-version-id"]
    for method in ("GET", "HEAD", "DELETE", "PUT"):
        assert send(method, f"{demo.url}/{versioned}/o?version-id={version}").status == 401
    assert send("GET", f"{demo.url}/{versioned}?versions").status == 401


# X-Versions-Location and X-History-Location

@pytest.fixture
def archive(demo):
    name = f"archive-{uuid.uuid4().hex[:12]}"
    demo.put(f"/{name}")
    yield name
    demo.empty(name)
    assert demo.send("DELETE", f"/{name}").status == 204


def test_stack(demo, container, archive):
    assert demo.send("POST", f"/{container}", {"X-Versions-Location": archive}).status == 204
    assert demo.send("HEAD", f"/{container}").headers["x-versions-location"] == archive
    for number in range(3):
        demo.put(f"/{container}/an%20object", f"{number}".encode(), X_Object_Meta_N=str(number))
    copies = demo.send("GET", f"/{archive}").lines
    assert len(copies) == 2 and all(name.startswith("009an object/") for name in copies)
    old = demo.send("GET", f"/{archive}/{urllib.parse.quote(copies[0])}")
    assert (old.body, old.headers["x-object-meta-n"]) == (b"0", "0")
    for number in (1, 0):
        assert demo.send("DELETE", f"/{container}/an%20object").status == 204
        got = demo.send("GET", f"/{container}/an%20object")
        assert (got.body, got.headers["x-object-meta-n"]) == (str(number).encode(), str(number))
    assert demo.send("GET", f"/{archive}").status == 204
    assert demo.send("DELETE", f"/{container}/an%20object").status == 204
    assert demo.send("GET", f"/{container}/an%20object").status == 404
    assert demo.send("DELETE", f"/{container}/an%20object").status == 404


def test_history(demo, container, archive):
    assert demo.send("PUT", f"/{container}", {"X-History-Location": archive}).status == 202
    demo.put(f"/{container}/o", b"1")
    demo.put(f"/{container}/o", b"2")
    assert demo.send("DELETE", f"/{container}/o").status == 204 and demo.send("GET", f"/{container}/o").status == 404
    listed = demo.send("GET", f"/{archive}?format=json").json
    assert [e["bytes"] for e in listed] == [1, 1, 0] and listed[2]["content_type"] == MARKER
    # As a stack the marker is taken away first.
    assert demo.send("POST", f"/{container}", {"X-Versions-Location": archive}).status == 204
    assert "x-history-location" not in demo.send("HEAD", f"/{container}").headers
    assert demo.send("DELETE", f"/{container}/o").status == 404 and len(demo.send("GET", f"/{archive}").lines) == 2
    assert demo.send("DELETE", f"/{container}/o").status == 204 and demo.send("GET", f"/{container}/o").body == b"2"


def test_copies_and_bulk_deletes_keep_predecessors_too(demo, container, archive):
    assert demo.send("POST", f"/{container}", {"X-Versions-Location": archive}).status == 204
    data = pattern(2_500_000)
    demo.put(f"/{container}/o", data)
    demo.put(f"/{container}/other", b"other")
    assert demo.send("COPY", f"/{container}/other", {"Destination": f"{container}/o"}).status == 201
    assert demo.send("GET", f"/{container}/o").body == b"other" and len(demo.send("GET", f"/{archive}").lines) == 1
    answer = demo.send("POST", "?bulk-delete", {"Accept": "application/json"}, f"/{container}/o")
    assert answer.json["Number Deleted"] == 1 and demo.send("GET", f"/{container}/o").body == data
    assert demo.send("POST", f"/{container}", {"X-Remove-Versions-Location": "x"}).status == 204


@pytest.mark.parametrize("headers", [
    {"X-Versions-Location": "a", "X-History-Location": "b"}, {"X-Versions-Location": "a/b"},
    {"X-Versions-Location": "a", "X-Versions-Enabled": "true"}])
def test_bad_locations(demo, container, headers):
    assert demo.send("POST", f"/{container}", {**headers, "X-Container-Meta-A": "1"}).status in (400, 412)
    assert "x-container-meta-a" not in demo.send("HEAD", f"/{container}").headers


def test_either_kind_of_versions(demo, versioned, container):
    assert demo.send("POST", f"/{versioned}", {"X-Versions-Location": "a"}).status == 400
    assert demo.send("POST", f"/{container}", {"X-Versions-Location": "a"}).status == 204
    assert demo.send("POST", f"/{container}", {"X-Versions-Enabled": "true"}).status == 400
    demo.put(f"/{container}/o", b"1")
    # The container for what is replaced is missing: nothing is replaced.
    assert demo.send("PUT", f"/{container}/o", body=b"2").status == 412
    assert demo.send("GET", f"/{container}/o").body == b"1"
    assert demo.send("POST", f"/{container}", {"X-Versions-Location": ""}).status == 204
