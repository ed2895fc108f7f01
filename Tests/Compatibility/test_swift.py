"""The object store's API by hand: every operation, with good and bad use. What Swift answers is in docs/swift-compatibility.md."""
import hashlib
import json
import socket
import time
import urllib.parse
import uuid

import pytest

from conftest import md5, pattern, refused, wait_until
from swiftapi import new_account, send


@pytest.fixture(scope="module")
def stranger():
    """Operator of a project of its own."""
    return new_account("stranger")


@pytest.fixture(scope="module")
def reseller():
    return new_account("reseller", "--role", "ResellerAdmin")


# What needs no login

def test_health_and_info():
    assert send("GET", "/healthcheck").text == "OK"
    answer = send("GET", "/info")
    assert answer.headers["content-type"].startswith("application/json")
    info = answer.json
    assert info["swift"]["max_meta_value_length"] == 256 and info["swift"]["container_listing_limit"] == 10000
    assert 0 < info["bulk_delete"]["max_failed_deletes"] <= info["bulk_delete"]["max_deletes_per_request"]
    assert {"container_quotas", "account_quotas"} <= set(info)
    assert {"slo", "dlo", "tempurl", "formpost", "bulk_upload"} <= set(info)
    assert {"object_versioning", "versioned_writes", "symlink", "staticweb"} <= set(info)
    assert not {"ratelimit", "container_sync"} & set(info)


def test_every_answer_is_named(demo):
    answers = [send("GET", "/info"), send("GET", "/nothing"), demo.send("HEAD"), demo.send("GET", "/nothing")]
    names = {a.headers["x-trans-id"] for a in answers}
    assert len(names) == 4 and all(n.startswith("tx") for n in names)
    assert all(a.headers["x-openstack-request-id"] == a.headers["x-trans-id"] for a in answers)


# Accounts

def test_account(demo, container):
    demo.put(f"/{container}/a", b"12345")
    head = demo.send("HEAD")
    assert head.status == 204 and int(head.headers["x-account-container-count"]) >= 1
    assert int(head.headers["x-account-bytes-used"]) >= 5 and int(head.headers["x-account-object-count"]) >= 1
    assert container in demo.send("GET").lines
    listed = {c["name"]: c for c in demo.send("GET", "?format=json").json}
    assert listed[container]["count"] == 1 and listed[container]["bytes"] == 5
    assert f"<name>{container}</name>".encode() in demo.send("GET", "?format=xml").body
    assert demo.send("GET", f"?prefix={container}&format=json").json[0]["name"] == container
    assert demo.send("GET", "?limit=10001").status == 412


def test_account_metadata_merges(demo):
    assert demo.send("POST", "", {"X-Account-Meta-Color": "blue", "X-Account-Meta-Size": "1"}).status == 204
    assert demo.send("POST", "", {"X-Account-Meta-Color": "red"}).status == 204
    headers = demo.send("HEAD").headers
    assert headers["x-account-meta-color"] == "red" and headers["x-account-meta-size"] == "1"
    assert demo.send("POST", "", {"X-Remove-Account-Meta-Color": "x", "X-Account-Meta-Size": ""}).status == 204
    headers = demo.send("HEAD").headers
    assert "x-account-meta-color" not in headers and "x-account-meta-size" not in headers


def test_account_rights(demo, stranger, reseller):
    assert demo.send("HEAD", token=None).status == 401
    refused = demo.send("HEAD", token="nonsense")
    assert refused.status == 401 and refused.headers["www-authenticate"].startswith("Swift realm=")
    assert demo.send("GET", token=stranger.token).status == 403
    assert demo.send("GET", token=reseller.token).status in (200, 204)
    assert demo.send("PUT").status == 403 and demo.send("PUT", token=reseller.token).status == 202
    assert send("GET", "/v1/AUTH_nobody", {"X-Auth-Token": demo.token}).status == 403
    assert send("GET", "/v1/OTHER_x", {"X-Auth-Token": demo.token}).status == 403
    assert demo.send("POST", "", {"X-Account-Meta-Quota-Bytes": "10"}).status == 403


def test_account_deletion(reseller):
    """By resellers, and when nothing is in it; then nobody has it until it is put again."""
    closed = new_account("closed")
    closed.put("/box")
    assert closed.send("POST", "", {"X-Account-Meta-A": "1"}).status == 204
    assert closed.send("DELETE").status == 403 and closed.send("DELETE", token=None).status == 401
    assert closed.send("DELETE", token=reseller.token).status == 409
    assert closed.send("DELETE", "/box").status == 204
    assert closed.send("DELETE", token=reseller.token).status == 204
    for method, path in [("GET", ""), ("HEAD", ""), ("POST", ""), ("PUT", "/box"), ("GET", "/box"), ("PUT", "/box/o"), ("DELETE", "")]:
        answer = closed.send(method, path, token=reseller.token)
        assert answer.status == 410, (method, path, answer.status)
    assert closed.send("PUT").status == 403 and closed.send("HEAD").status == 410
    assert closed.send("PUT", token=reseller.token).status == 201
    head = closed.send("HEAD")
    assert head.status == 204 and "x-account-meta-a" not in head.headers and not any("sysmeta" in n for n in head.headers)
    closed.put("/box")
    assert closed.send("DELETE", "/box").status == 204


@pytest.mark.parametrize("name,value,status", [
    ("X-Container-Meta-" + "n" * 128, "v", 202), ("X-Container-Meta-" + "n" * 129, "v", 400),
    ("X-Container-Meta-A", "v" * 256, 202), ("X-Container-Meta-A", "v" * 257, 400)])
def test_metadata_limits(demo, container, name, value, status):
    assert demo.send("PUT", f"/{container}", {name: value}).status == status


def test_paths(demo):
    path = demo.path
    assert send("GET", "/v1.0" + path[3:], {"X-Auth-Token": demo.token}).status in (200, 204)
    assert send("GET", "/v9" + path[3:], {"X-Auth-Token": demo.token}).status == 400
    assert demo.send("GET", "/%FF%FE").status == 412
    assert demo.send("GET", "/a%00b").status == 412
    refused = demo.send("PATCH", "/x")
    assert refused.status == 405 and "GET" in refused.headers["allow"]
    assert set(demo.send("OPTIONS", "/x/y", token=None).headers["allow"].split(", ")) >= {"GET", "PUT", "COPY", "DELETE"}


# Containers

def test_container_life(demo):
    name = f"life-{uuid.uuid4().hex[:8]}"
    assert demo.send("GET", f"/{name}").status == 404 and demo.send("DELETE", f"/{name}").status == 404
    assert demo.send("PUT", f"/{name}/object", body=b"x").status == 404
    assert demo.send("PUT", f"/{name}", {"X-Container-Meta-A": "1"}).status == 201
    assert demo.send("PUT", f"/{name}", {"X-Container-Meta-B": "2"}).status == 202
    head = demo.send("HEAD", f"/{name}")
    assert head.status == 204 and head.headers["x-container-object-count"] == "0"
    assert (head.headers["x-container-meta-a"], head.headers["x-container-meta-b"]) == ("1", "2")
    assert len(head.headers["x-timestamp"].split(".")[1]) == 5
    assert demo.send("GET", f"/{name}").status == 204 and demo.send("GET", f"/{name}?format=json").json == []
    assert demo.send("POST", f"/{name}", {"X-Remove-Container-Meta-A": "x"}).status == 204
    assert "x-container-meta-a" not in demo.send("HEAD", f"/{name}").headers
    demo.put(f"/{name}/object", b"123")
    head = demo.send("HEAD", f"/{name}").headers
    assert (head["x-container-object-count"], head["x-container-bytes-used"]) == ("1", "3")
    assert demo.send("DELETE", f"/{name}").status == 409
    assert demo.send("DELETE", f"/{name}/object").status == 204
    assert demo.send("DELETE", f"/{name}").status == 204


def test_container_policy(demo, container):
    """The cluster has one setting of redundancy, so there is one policy, and none that a container could be changed to."""
    [policy] = [p for p in send("GET", "/info").json["swift"]["policies"]]
    assert policy["name"] == "default" and policy["default"] is True
    # Names have no case; an empty one is none.
    for name in ("default", "DEFAULT", policy["aliases"], ""):
        assert demo.send("PUT", f"/{container}", {"X-Storage-Policy": name}).status == 202, name
    for name in ("nope", "0", "default x"):
        refused = demo.send("PUT", f"/{container}", {"X-Storage-Policy": name})
        assert refused.status == 400 and refused.text == f"Invalid X-Storage-Policy '{name}'"
    new = f"policy-{uuid.uuid4().hex[:8]}"
    assert demo.send("PUT", f"/{new}", {"X-Storage-Policy": "nope"}).status == 400
    assert demo.send("HEAD", f"/{new}").status == 404
    assert demo.send("PUT", f"/{new}", {"X-Storage-Policy": "Default"}).status == 201
    for method in ("HEAD", "GET"):
        assert demo.send(method, f"/{new}").headers["x-storage-policy"] == "default"
    # A POST does not change it, as in Swift.
    assert demo.send("POST", f"/{new}", {"X-Storage-Policy": "nope"}).status == 204
    assert demo.send("HEAD", f"/{new}").headers["x-storage-policy"] == "default"
    listed = {c["name"]: c["storage_policy"] for c in demo.send("GET", "?format=json").json}
    assert listed[new] == listed[container] == "default"
    account = demo.send("HEAD").headers
    for count in ("container-count", "object-count", "bytes-used"):
        assert account[f"x-account-storage-policy-default-{count}"] == account[f"x-account-{count}"]
    assert demo.send("DELETE", f"/{new}").status == 204


@pytest.mark.parametrize("name", ["ünï côdé", "UPPER", "a", "dots..dots", "percent%41", "caf\u00e9", "cafe\u0301", "x" * 256])
def test_container_names(demo, name):
    path = "/" + urllib.parse.quote(name)
    assert demo.send("PUT", path).status == 201
    try:
        assert name in demo.send("GET").text.splitlines()
        demo.put(path + "/o", b"x")
        assert demo.send("GET", path).lines == ["o"]
    finally:
        demo.send("DELETE", path + "/o")
        assert demo.send("DELETE", path).status == 204


def test_container_name_too_long(demo):
    assert demo.send("PUT", "/" + "x" * 257).status == 400


def test_the_same_name_in_two_accounts(demo, stranger, container):
    """Names of containers are an account's own affair, whoever has the bucket of this name."""
    assert stranger.send("GET", f"/{container}").status == 404
    assert stranger.send("PUT", f"/{container}").status == 201
    stranger.put(f"/{container}/theirs", b"x")
    assert demo.send("GET", f"/{container}").lines == []
    assert demo.send("GET", f"/{container}/theirs").status == 404
    stranger.empty(container)
    assert stranger.send("DELETE", f"/{container}").status == 204


# Listings

def test_listing(demo, container):
    names = ["a", "b", "d/1", "d/2", "d/sub/3", "e", "é", "z//x"]
    for name in names:
        demo.put(f"/{container}/{urllib.parse.quote(name)}", name.encode(), Content_Type="text/x-test")

    def listed(query):
        return [e.get("name") or "[" + e["subdir"] + "]" for e in demo.send("GET", f"/{container}?format=json&{query}").json]

    assert listed("") == names[:6] + ["z//x", "é"]
    assert listed("delimiter=/") == ["a", "b", "[d/]", "e", "[z/]", "é"]
    assert listed("delimiter=/&prefix=d/") == ["d/1", "d/2", "[d/sub/]"]
    assert listed("delimiter=/&marker=b&end_marker=e") == ["[d/]"]
    assert listed("delimiter=/&marker=d/") == ["e", "[z/]", "é"]
    assert listed("delimiter=//") == ["a", "b", "d/1", "d/2", "d/sub/3", "e", "[z//]", "é"]
    assert listed("marker=d/2&limit=2") == ["d/sub/3", "e"]
    assert listed("reverse=true") == list(reversed(listed("")))
    assert listed("reverse=true&limit=3&marker=e") == ["d/sub/3", "d/2", "d/1"]
    assert listed("reverse=true&delimiter=/&end_marker=b") == ["é", "[z/]", "e", "[d/]"]
    assert listed("reverse=true&delimiter=/&marker=d/") == ["b", "a"]
    assert listed("reverse=true&prefix=d/&delimiter=/") == ["[d/sub/]", "d/2", "d/1"]
    # A directory counts when something in it is between the markers.
    assert listed("delimiter=/&end_marker=d/1") == ["a", "b"]
    assert listed("delimiter=/&end_marker=d/2") == ["a", "b", "[d/]"]
    assert listed("reverse=true&delimiter=/&end_marker=d/2") == ["é", "[z/]", "e", "[d/]"]
    assert listed("reverse=true&delimiter=/&end_marker=d/sub/3") == ["é", "[z/]", "e"]
    for way in ("", "&delimiter=/", "&reverse=true", "&reverse=true&delimiter=/", "&reverse=true&end_marker=b"):
        pages, marker = [], ""
        while page := listed(f"limit=2&marker={urllib.parse.quote(marker)}" + way):
            pages, marker = pages + page, page[-1].strip("[]")
        assert pages == listed(way[1:])
    assert listed("path=d") == ["d/1", "d/2"]
    entry = demo.send("GET", f"/{container}?format=json&limit=1").json[0]
    assert entry["hash"] == md5(b"a") and entry["bytes"] == 1 and entry["content_type"] == "text/x-test"
    assert len(entry["last_modified"]) == 26 and not entry["last_modified"].endswith("Z")
    assert demo.send("GET", f"/{container}?limit=0").status == 204
    assert demo.send("GET", f"/{container}?limit=many").status == 200
    assert demo.send("GET", f"/{container}?limit=10001").text == "Maximum limit is 10000"
    assert b'<subdir name="d/"><name>d/</name></subdir>' in demo.send("GET", f"/{container}?format=xml&delimiter=/").body
    accepted = demo.send("GET", f"/{container}", {"Accept": "application/json"})
    assert accepted.headers["content-type"] == "application/json; charset=utf-8" and accepted.headers["vary"] == "Accept"
    assert demo.send("GET", f"/{container}", {"Accept": "image/png"}).status == 406


# Objects

def test_object_round_trip(demo, container):
    data = pattern(3_000_000)
    made = demo.send("PUT", f"/{container}/big", {"ETag": md5(data), "X-Object-Meta-Color": "blue", "Content-Encoding": "x-enc",
                                                  "Content-Disposition": "attachment"}, data)
    assert made.status == 201 and made.headers["etag"] == md5(data) and made.body == b""
    got = demo.send("GET", f"/{container}/big")
    assert got.status == 200 and got.body == data and got.headers["etag"] == md5(data)
    assert got.headers["x-object-meta-color"] == "blue" and got.headers["accept-ranges"] == "bytes"
    assert got.headers["content-encoding"] == "x-enc" and got.headers["content-disposition"] == "attachment"
    head = demo.send("HEAD", f"/{container}/big")
    assert head.headers["content-length"] == "3000000" and head.body == b""
    assert demo.send("DELETE", f"/{container}/big").status == 204
    assert demo.send("DELETE", f"/{container}/big").status == 404
    assert demo.send("GET", f"/{container}/big").status == 404


def test_object_headers(demo, container):
    """Every header that an object keeps comes back; a POST replaces them all, but for the type."""
    kept = {"Content-Type": "text/x-a", "Content-Encoding": "x-packed", "Content-Disposition": 'attachment; filename="a b"',
            "Content-Language": "de", "Cache-Control": "max-age=5", "Expires": "Thu, 01 Dec 2044 16:00:00 GMT", "X-Robots-Tag": "noindex"}
    demo.put(f"/{container}/o", b"x", **{n.replace("-", "_"): v for n, v in kept.items()})
    for method in ("HEAD", "GET"):
        found = demo.send(method, f"/{container}/o").headers
        assert {n: found.get(n.lower()) for n in kept} == kept
    assert demo.send("POST", f"/{container}/o", {"Content-Language": "en"}).status == 202
    found = demo.send("HEAD", f"/{container}/o").headers
    assert {n: found[n.lower()] for n in kept if n.lower() in found} == {"Content-Type": "text/x-a", "Content-Language": "en"}
    demo.put(f"/{container}/page.html", b"x", Content_Type="text/x-a", X_Detect_Content_Type="true")
    assert demo.send("HEAD", f"/{container}/page.html").headers["content-type"] == "text/html"
    demo.put(f"/{container}/other.html", b"x", Content_Type="text/x-a", X_Detect_Content_Type="no")
    assert demo.send("HEAD", f"/{container}/other.html").headers["content-type"] == "text/x-a"


def test_object_refusals(demo, container):
    path = f"/{container}/o"
    assert demo.send("PUT", path, {"ETag": "0" * 32}, b"x").status == 422
    assert demo.send("HEAD", path).status == 404
    assert demo.send("PUT", path, {"If-None-Match": "*"}, b"x").status == 201
    assert demo.send("PUT", path, {"If-None-Match": "*"}, b"y").status == 412
    refused = demo.send("PUT", path, {"If-None-Match": '"abc"'}, b"y")
    assert refused.status == 400 and refused.text == "If-None-Match only supports *"
    assert demo.send("GET", path).body == b"x"
    assert demo.send("PUT", f"/{container}/" + "x" * 1025, body=b"x").status == 400
    for headers in ({"X-Delete-At": "100"}, {"X-Delete-At": "x"}, {"X-Delete-After": "0"}):
        assert demo.send("PUT", path, headers, b"x").status == 400


@pytest.mark.parametrize("name", ["a//b", "/leading", "trailing/", ".", "..", "a/../b", "sp ace", "plus+", "qu?ery", "ü", "%2F", "a#b"])
def test_object_names(demo, container, name):
    path = f"/{container}/" + urllib.parse.quote(name)
    demo.put(path, name.encode())
    assert demo.send("GET", path).body == name.encode()
    assert demo.send("GET", f"/{container}").lines == [name]


def test_post_replaces_metadata(demo, container):
    path = f"/{container}/o"
    demo.put(path, b"content", X_Object_Meta_A="1", Content_Type="text/x-one", X_Delete_After="1000")
    assert "x-delete-at" in demo.send("HEAD", path).headers
    assert demo.send("POST", path, {"X-Object-Meta-B": "2"}).status == 202
    head = demo.send("HEAD", path).headers
    assert "x-object-meta-a" not in head and head["x-object-meta-b"] == "2" and "x-delete-at" not in head
    assert head["content-type"] == "text/x-one"
    assert demo.send("POST", path, {"Content-Type": "text/x-two"}).status == 202
    assert demo.send("HEAD", path).headers["content-type"] == "text/x-two"
    assert demo.send("GET", path).body == b"content"
    assert demo.send("POST", f"/{container}/nothing").status == 404


def test_expiry(demo, container):
    demo.put(f"/{container}/o", b"x", X_Delete_After="60")
    assert demo.send("GET", f"/{container}/o").status == 200
    assert demo.send("POST", f"/{container}/o", {"X-Delete-After": "1"}).status == 202
    wait_until("the object to expire", lambda: demo.send("HEAD", f"/{container}/o").status == 404)
    assert demo.send("POST", f"/{container}/o").status == 404
    # It is not there, and with the attempt to delete it its place is free.
    assert demo.send("DELETE", f"/{container}/o").status == 404
    assert demo.send("GET", f"/{container}").lines == []


def test_what_has_expired_is_gone_for_s3_too(demo, s3, container):
    demo.put(f"/{container}/o", b"x", X_Delete_After="1")
    demo.put(f"/{container}/later", b"x", X_Delete_At=str(int(time.time()) + 1000))
    wait_until("the object to expire", lambda: demo.send("HEAD", f"/{container}/o").status == 404)
    for call in (s3.get_object, s3.head_object, s3.get_object_tagging):
        with refused("404" if call == s3.head_object else "NoSuchKey"):
            call(Bucket=container, Key="o")
    with refused("NoSuchKey"):
        s3.copy_object(Bucket=container, Key="copy", CopySource=f"{container}/o")
    assert s3.get_object(Bucket=container, Key="later")["Body"].read() == b"x"
    # It is not in the way of a new one.
    assert demo.send("PUT", f"/{container}/o", {"If-None-Match": "*"}, b"new").status == 201
    assert s3.get_object(Bucket=container, Key="o")["Body"].read() == b"new"


def test_ranges(demo, container):
    path = f"/{container}/o"
    demo.put(path, b"0123456789", Content_Type="text/plain")

    def get(value):
        return demo.send("GET", path, {"Range": value})

    one = get("bytes=2-4")
    assert (one.status, one.body, one.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert get("bytes=-3").body == b"789" and get("bytes=8-").body == b"89"
    bad = get("bytes=20-30")
    assert bad.status == 416 and bad.headers["content-range"] == "bytes */10"
    assert get("bytes=z").status == 200 and get("bytes=5-2").status == 200
    many = get("bytes=0-1,0-1,8-")
    assert many.status == 206
    boundary = many.headers["content-type"].split("boundary=")[1]
    parts = many.body.split(f"--{boundary}".encode())
    assert [p.split(b"\r\n\r\n", 1)[1].rstrip(b"\r\n") for p in parts[1:-1]] == [b"01", b"01", b"89"]
    assert parts[-1] == b"--" and int(many.headers["content-length"]) == len(many.body)


def test_conditions(demo, container):
    path = f"/{container}/o"
    demo.put(path, b"x")
    etag = md5(b"x")
    modified = demo.send("HEAD", path).headers["last-modified"]
    for headers, status in [
            ({"If-Match": etag}, 200), ({"If-Match": f'"{etag}"'}, 200), ({"If-Match": "other, " + etag}, 200), ({"If-Match": "*"}, 200),
            ({"If-Match": "other"}, 412), ({"If-None-Match": etag}, 304), ({"If-None-Match": "*"}, 304), ({"If-None-Match": "other"}, 200),
            ({"If-Modified-Since": modified}, 304), ({"If-Unmodified-Since": modified}, 200),
            ({"If-Unmodified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412)]:
        assert demo.send("GET", path, headers).status == status, headers


def test_copy(demo, container, stranger):
    demo.put(f"/{container}/source", b"content", X_Object_Meta_A="1", X_Object_Meta_B="1", Content_Type="text/x-one")
    made = demo.send("COPY", f"/{container}/source", {"Destination": f"/{container}/one", "X-Object-Meta-B": "2"})
    assert made.status == 201 and made.headers["x-copied-from"] == f"{container}/source"
    assert made.headers["x-copied-from-account"] == demo.path.split("/")[-1]
    got = demo.send("GET", f"/{container}/one")
    assert got.body == b"content" and got.headers["content-type"] == "text/x-one"
    assert (got.headers["x-object-meta-a"], got.headers["x-object-meta-b"]) == ("1", "2")
    fresh = demo.send("PUT", f"/{container}/two", {"X-Copy-From": f"{container}/source", "X-Fresh-Metadata": "true"})
    assert fresh.status == 201 and "x-object-meta-a" not in demo.send("HEAD", f"/{container}/two").headers
    ranged = demo.send("PUT", f"/{container}/three", {"X-Copy-From": f"{container}/source", "Range": "bytes=1-3"})
    assert ranged.status == 201 and demo.send("GET", f"/{container}/three").body == b"ont"
    itself = demo.send("COPY", f"/{container}/source", {"Destination": f"{container}/source", "Content-Type": "text/x-new"})
    assert itself.status == 201 and demo.send("HEAD", f"/{container}/source").headers["content-type"] == "text/x-new"
    assert demo.send("COPY", f"/{container}/source").status == 412
    assert demo.send("COPY", f"/{container}/nothing", {"Destination": f"{container}/x"}).status == 404
    assert demo.send("COPY", f"/{container}/source", {"Destination": "nothing/x"}).status == 404
    # From and to accounts of others: only who may.
    account = {"Destination-Account": stranger.path.split("/")[-1]}
    assert demo.send("COPY", f"/{container}/source", {"Destination": f"{container}/x", **account}).status == 403
    taken = {"X-Copy-From": f"{container}/source", "X-Copy-From-Account": demo.path.split("/")[-1]}
    stranger.put(f"/{container}")
    assert stranger.send("PUT", f"/{container}/mine", taken).status == 403
    assert demo.send("POST", f"/{container}", {"X-Container-Read": stranger.project}).status == 204
    assert stranger.send("PUT", f"/{container}/mine", taken).status == 201
    stranger.empty(container)
    stranger.send("DELETE", f"/{container}")


# Access lists, quotas

def test_container_access_lists(demo, container, stranger):
    path = f"/{container}/o"
    demo.put(path, b"x")

    def may(method, where, who, headers=None):
        return demo.send(method, where, headers, b"y" if method == "PUT" else None, token=who and who.token).status

    def allow(**lists):
        assert demo.send("POST", f"/{container}", {"X-Container-" + n.title(): v for n, v in lists.items()}).status == 204

    assert may("GET", path, stranger) == 403 and may("GET", path, None) == 401
    allow(read=".r:*")
    assert may("GET", path, None) == 200 and may("GET", f"/{container}", None) == 401
    allow(read=".r:*,.rlistings")
    assert may("GET", f"/{container}", None) == 200 and may("PUT", path, None) == 401
    allow(read=".r:.example.com")
    assert may("GET", path, None) == 401 and may("GET", path, None, {"Referer": "http://www.example.com/"}) == 200
    allow(read=".r:*,.r:-bad.example.com")
    assert may("GET", path, None) == 200 and may("GET", path, None, {"Referer": "http://bad.example.com/"}) == 401
    allow(read=f"{stranger.project}:{stranger.user}")
    assert may("GET", path, stranger) == 200 and may("PUT", path, stranger) == 403 and may("GET", path, None) == 401
    assert "x-container-read" not in demo.send("HEAD", f"/{container}", token=stranger.token).headers
    assert "x-container-read" in demo.send("HEAD", f"/{container}").headers
    allow(write=f"*:{stranger.user}", read="")
    assert may("GET", path, stranger) == 403 and may("PUT", path, stranger) == 201 and may("DELETE", path, stranger) == 204
    assert may("DELETE", f"/{container}", stranger) == 403 and may("POST", f"/{container}", stranger) == 403
    assert demo.send("POST", f"/{container}", {"X-Container-Read": ".nonsense:x"}).status == 400
    assert demo.send("POST", f"/{container}", {"X-Container-Write": ".r:*"}).status == 400


def test_account_access_list(demo, container, stranger):
    assert demo.send("POST", "", {"X-Account-Access-Control": "{nonsense"}).status == 400
    try:
        given = json.dumps({"read-only": [f"{stranger.project}:{stranger.user}"]})
        assert demo.send("POST", "", {"X-Account-Access-Control": given}).status == 204
        assert demo.send("GET", f"/{container}", token=stranger.token).status == 204
        assert demo.send("PUT", f"/{container}/x", body=b"x", token=stranger.token).status == 403
        assert "x-account-access-control" not in demo.send("HEAD", token=stranger.token).headers
    finally:
        assert demo.send("POST", "", {"X-Remove-Account-Access-Control": "x"}).status == 204
    assert demo.send("GET", f"/{container}", token=stranger.token).status == 403


def test_container_quotas(demo, container):
    assert demo.send("POST", f"/{container}", {"X-Container-Meta-Quota-Bytes": "x"}).text == "Invalid bytes quota."
    assert demo.send("POST", f"/{container}", {"X-Container-Meta-Quota-Bytes": "10", "X-Container-Meta-Quota-Count": "2"}).status == 204
    demo.put(f"/{container}/a", b"12345678")
    refused = demo.send("PUT", f"/{container}/b", body=b"123")
    assert refused.status == 413 and refused.text == "Upload exceeds quota."
    assert demo.send("COPY", f"/{container}/a", {"Destination": f"{container}/b"}).status == 413
    demo.put(f"/{container}/b", b"1")
    assert demo.send("PUT", f"/{container}/c", body=b"").status == 413


@pytest.mark.parametrize("quota,limit", [
    ("Meta-Quota-Bytes", 5), ("Quota-Bytes", 5), ("Quota-Bytes-Policy-Default", 5),
    ("Meta-Quota-Count", 1), ("Quota-Count", 1), ("Quota-Count-Policy-Default", 1)])
def test_account_quotas(stranger, reseller, quota, limit):
    name = f"quota-{uuid.uuid4().hex[:8]}"
    stranger.put(f"/{name}")
    assert stranger.send("POST", "", {f"X-Account-{quota}": str(limit)}).status == 403
    assert stranger.send("POST", "", {f"X-Account-{quota}": "much"}, token=reseller.token).status == 400
    assert stranger.send("POST", "", {f"X-Account-{quota}": str(limit)}, token=reseller.token).status == 204
    try:
        assert stranger.send("HEAD").headers[f"x-account-{quota}".lower()] == str(limit)
        stranger.put(f"/{name}/a", b"123")
        refused = stranger.send("PUT", f"/{name}/b", body=b"123")
        assert refused.status == 413 and refused.text == "Upload exceeds quota."
        assert stranger.send("PUT", f"/{name}/b", {"X-Copy-From": f"/{name}/a"}).status == 413
        # Whoever sets quotas is not held to them.
        assert stranger.send("PUT", f"/{name}/b", body=b"123", token=reseller.token).status == 201
        assert stranger.send("POST", "", {f"X-Remove-Account-{quota}": "x"}).status == 403
    finally:
        assert stranger.send("POST", "", {f"X-Remove-Account-{quota}": "x"}, token=reseller.token).status == 204
        stranger.empty(name)
        assert stranger.send("DELETE", f"/{name}").status == 204


# Bulk delete

def test_bulk_delete(demo, container, stranger):
    names = ["a", "ü b", "d/e"]
    for name in names:
        demo.put(f"/{container}/" + urllib.parse.quote(name), b"x")
    lines = "\n".join(f"/{container}/" + urllib.parse.quote(n) for n in [*names, "nothing"])
    refused = demo.send("POST", "?bulk-delete", {"Accept": "application/json"}, lines, token=stranger.token)
    assert refused.json["Number Deleted"] == 0 and len(refused.json["Errors"]) == 4
    assert {e[1] for e in refused.json["Errors"]} == {"403 Forbidden"}
    for method, expected in [("POST", 3), ("DELETE", 0)]:
        answer = demo.send(method, "?bulk-delete", {"Accept": "application/json", "Content-Type": "text/plain"}, lines)
        assert answer.status == 200 and answer.json == {
            "Number Deleted": expected, "Number Not Found": 4 - expected, "Response Status": "200 OK", "Response Body": "", "Errors": []}
    other = f"bulk-{uuid.uuid4().hex[:8]}"
    demo.put(f"/{other}")
    text = demo.send("POST", "?bulk-delete", {}, f"/{other}\n").text
    assert "Number Deleted: 1" in text and demo.send("HEAD", f"/{other}").status == 404


# What is not done

@pytest.mark.parametrize("name", ["X-Container-Sync-To", "X-Container-Sync-Key"])
def test_container_functions_that_are_missing_are_refused(demo, container, name):
    assert demo.send("POST", f"/{container}", {name: "elsewhere", "X-Container-Meta-A": "1"}).status == 501
    assert "x-container-meta-a" not in demo.send("HEAD", f"/{container}").headers


# Both fronts

def test_s3_and_swift_see_the_same(demo, s3, container):
    data = pattern(2_000_000)
    demo.put(f"/{container}/from swift".replace(" ", "%20"), data, X_Object_Meta_Color="blue", Content_Type="text/x-one")
    got = s3.get_object(Bucket=container, Key="from swift")
    assert got["Body"].read() == data and got["ETag"] == f'"{md5(data)}"'
    assert got["Metadata"] == {"color": "blue"} and got["ContentType"] == "text/x-one"
    s3.put_object(Bucket=container, Key="from-s3", Body=data, Metadata={"size": "large"}, ContentType="text/x-two")
    head = demo.send("GET", f"/{container}/from-s3")
    assert head.body == data and head.headers["etag"] == md5(data)
    assert head.headers["x-object-meta-size"] == "large" and head.headers["content-type"] == "text/x-two"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=container)["Contents"]] == demo.send("GET", f"/{container}").lines
    types = {e["name"]: e["content_type"] for e in demo.send("GET", f"/{container}?format=json").json}
    assert types == {"from swift": "text/x-one", "from-s3": "text/x-two"}


def test_s3_buckets_are_containers(demo, s3, bucket):
    assert bucket in demo.send("GET").lines
    demo.put(f"/{bucket}/o", b"x")
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"x"


def test_multipart_uploads_of_s3(demo, s3, container):
    pieces = [pattern(5 << 20, seed=1), pattern(1000, seed=2)]
    upload = s3.create_multipart_upload(Bucket=container, Key="multipart")["UploadId"]
    parts = [{"PartNumber": i + 1, "ETag": s3.upload_part(
        Bucket=container, Key="multipart", UploadId=upload, PartNumber=i + 1, Body=p)["ETag"]} for i, p in enumerate(pieces)]
    s3.complete_multipart_upload(Bucket=container, Key="multipart", UploadId=upload, MultipartUpload={"Parts": parts})
    got = demo.send("GET", f"/{container}/multipart")
    assert got.body == b"".join(pieces) and got.headers["etag"].endswith("-2")


def test_containers_that_s3_cannot_name(demo, s3):
    name = "Not For S3"
    path = "/" + urllib.parse.quote(name)
    assert demo.send("PUT", path).status == 201
    try:
        assert all("/" not in b["Name"] and b["Name"] != name for b in s3.list_buckets()["Buckets"])
        project = demo.path.split("AUTH_")[1]
        raw = send("GET", f"/{project}%2FNot%2520For%2520S3/", base=s3.meta.endpoint_url)
        assert raw.status == 404
    finally:
        assert demo.send("DELETE", path).status == 204


def test_digest_of_what_was_sent(demo, container):
    """A body that breaks off leaves nothing."""
    url = urllib.parse.urlsplit(demo.url)
    with socket.create_connection((url.hostname, url.port), timeout=60) as connection:
        connection.sendall((f"PUT {demo.path}/{container}/broken HTTP/1.1\r\nHost: {url.netloc}\r\nX-Auth-Token: {demo.token}\r\n"
                            "Content-Length: 1000\r\n\r\n").encode() + b"x" * 500)
    assert demo.send("GET", f"/{container}/broken").status == 404
    assert hashlib.md5(b"").hexdigest() == demo.put(f"/{container}/empty", b"").headers["etag"]
