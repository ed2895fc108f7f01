"""X-Symlink-Target: objects that stand for others."""
import urllib.parse
import uuid

import pytest

from conftest import md5
from swiftapi import new_account, send

EMPTY = md5(b"")


@pytest.fixture(scope="module")
def stranger():
    return new_account("linker")


def link(account, path, target, status=201, **headers):
    answer = account.send("PUT", path, {"X-Symlink-Target": target, **{n.replace("_", "-"): v for n, v in headers.items()}})
    assert answer.status == status, (answer.status, answer.text)
    return answer


def test_link(demo, container):
    demo.put(f"/{container}/the%20target", b"content", X_Object_Meta_A="1", Content_Type="text/x-t")
    assert link(demo, f"/{container}/link", f"{container}/the%20target", X_Object_Meta_B="2").headers["etag"] == EMPTY
    for method in ("GET", "HEAD"):
        got = demo.send(method, f"/{container}/link")
        assert got.status == 200 and got.headers["etag"] == md5(b"content") and got.headers["content-length"] == "7"
        assert got.headers["content-location"] == f"{demo.path}/{container}/the%20target"
        assert got.headers["x-object-meta-a"] == "1" and "x-object-meta-b" not in got.headers
        assert "x-symlink-target" not in got.headers
    assert demo.send("GET", f"/{container}/link", {"Range": "bytes=1-2"}).body == b"on"
    itself = demo.send("GET", f"/{container}/link?symlink=get")
    assert itself.status == 200 and itself.body == b"" and itself.headers["etag"] == EMPTY
    assert itself.headers["x-symlink-target"] == f"{container}/the%20target" and itself.headers["x-object-meta-b"] == "2"
    assert itself.headers["content-type"] == "application/symlink" and "x-symlink-target-account" not in itself.headers
    listed = {e["name"]: e for e in demo.send("GET", f"/{container}?format=json").json}
    assert listed["link"]["bytes"] == 0 and listed["link"]["symlink_path"] == f"{demo.path}/{container}/the%20target"
    assert "symlink_path" not in listed["the target"]
    # A POST changes the link and says where its target is; a DELETE takes the link only.
    posted = demo.send("POST", f"/{container}/link", {"X-Object-Meta-C": "3"})
    assert posted.status == 307 and posted.headers["location"] == f"{demo.path}/{container}/the%20target"
    assert demo.send("HEAD", f"/{container}/link?symlink=get").headers["x-object-meta-c"] == "3"
    assert "x-object-meta-c" not in demo.send("HEAD", f"/{container}/the%20target").headers
    assert demo.send("DELETE", f"/{container}/link").status == 204
    assert demo.send("GET", f"/{container}/the%20target").body == b"content"


def test_copies_of_links(demo, container):
    demo.put(f"/{container}/target", b"content")
    link(demo, f"/{container}/link", f"{container}/target")
    assert demo.send("COPY", f"/{container}/link", {"Destination": f"/{container}/copy"}).status == 201
    assert demo.send("GET", f"/{container}/copy?symlink=get").body == b"content"
    assert demo.send("COPY", f"/{container}/link?symlink=get", {"Destination": f"/{container}/link2"}).status == 201
    assert demo.send("HEAD", f"/{container}/link2?symlink=get").headers["x-symlink-target"] == f"{container}/target"
    assert demo.send("GET", f"/{container}/link2").body == b"content"


def test_links_to_links(demo, container):
    demo.put(f"/{container}/0", b"content")
    for number in range(1, 4):
        link(demo, f"/{container}/{number}", f"{container}/{number - 1}")
    assert demo.send("GET", f"/{container}/2").body == b"content"
    refused = demo.send("GET", f"/{container}/3")
    assert refused.status == 409 and "Too many levels of symbolic links" in refused.text
    link(demo, f"/{container}/a", f"{container}/b")
    link(demo, f"/{container}/b", f"{container}/a")
    assert demo.send("GET", f"/{container}/a").status == 409
    link(demo, f"/{container}/c", f"{container}/c", status=400)


def test_static_links(demo, container):
    demo.put(f"/{container}/target", b"content")
    link(demo, f"/{container}/link", f"{container}/target", X_Symlink_Target_Etag=md5(b"content"))
    link(demo, f"/{container}/other", f"{container}/target", X_Symlink_Target_Etag=md5(b"other"), status=409)
    link(demo, f"/{container}/other", f"{container}/nothing", X_Symlink_Target_Etag=md5(b"other"), status=409)
    assert demo.send("HEAD", f"/{container}/other?symlink=get").status == 404
    assert demo.send("GET", f"/{container}/link").body == b"content"
    entry = {e["name"]: e for e in demo.send("GET", f"/{container}?format=json").json}["link"]
    assert (entry["symlink_etag"], entry["symlink_bytes"], entry["bytes"]) == (md5(b"content"), 7, 0)
    demo.put(f"/{container}/target", b"changed")
    assert demo.send("GET", f"/{container}/link").status == 409
    assert demo.send("GET", f"/{container}/link?symlink=get").headers["x-symlink-target-etag"] == md5(b"content")


@pytest.mark.parametrize("target,body,status", [
    ("{c}", b"", 412), ("{c}/", b"", 412), ("/{c}/o", b"", 201), ("{c}/o%ZZ", b"", 412), ("{c}/o", b"x", 400), ("{c}/o", b"", 201)])
def test_bad_targets(demo, container, target, body, status):
    assert demo.send("PUT", f"/{container}/l", {"X-Symlink-Target": target.format(c=container)}, body).status == status
    assert demo.send("GET", f"/{container}/l").status == 404
    assert demo.send("POST", f"/{container}/l", {"X-Symlink-Target": f"{container}/x"}).status == 400


def test_links_give_no_rights(demo, stranger, container):
    """Into another account: whoever follows needs rights there."""
    secret = f"secret-{uuid.uuid4().hex[:8]}"
    stranger.put(f"/{secret}")
    stranger.put(f"/{secret}/o", b"theirs")
    account = stranger.path.split("/")[-1]
    link(demo, f"/{container}/link", f"{secret}/o", X_Symlink_Target_Account=account)
    assert demo.send("GET", f"/{container}/link").status == 403
    assert demo.send("GET", f"/{container}/link?symlink=get").headers["x-symlink-target-account"] == account
    link(demo, f"/{container}/static", f"{secret}/o", X_Symlink_Target_Account=account, X_Symlink_Target_Etag=md5(b"theirs"), status=403)
    assert demo.send("COPY", f"/{container}/link", {"Destination": f"/{container}/copy"}).status == 403
    demo.send("POST", f"/{container}", {"X-Container-Read": ".r:*"})
    assert send("GET", f"{demo.url}/{container}/link").status == 401
    assert stranger.send("POST", f"/{secret}", {"X-Container-Read": ".r:*"}).status == 204
    assert send("GET", f"{demo.url}/{container}/link").body == b"theirs"
    assert demo.send("GET", f"/{container}/link").headers["content-location"] == f"{stranger.path}/{secret}/o"
    stranger.empty(secret)
    assert stranger.send("DELETE", f"/{secret}").status == 204
    assert demo.send("GET", f"/{container}/link").status in (403, 404)


def test_link_by_s3_is_empty(demo, s3, container):
    demo.put(f"/{container}/target", b"content")
    link(demo, f"/{container}/link", f"{container}/target")
    assert s3.get_object(Bucket=container, Key="link")["Body"].read() == b""


def test_names_in_paths(demo, container):
    name = "ü ?#%"
    demo.put(f"/{container}/{urllib.parse.quote(name)}", b"x")
    link(demo, f"/{container}/l", f"{container}/{urllib.parse.quote(name)}")
    got = demo.send("GET", f"/{container}/l")
    assert got.body == b"x" and send("GET", got.headers["content-location"], {"X-Auth-Token": demo.token}).body == b"x"
