"""Archives that become objects, and the answers of requests that do many things."""
import bz2
import gzip
import io
import tarfile
import uuid

import pytest

from conftest import md5, pattern
from swiftapi import new_account, send

JSON = {"Accept": "application/json"}
LARGE = pattern(2_500_000)
FILES = [("dir/a", b"first"), ("dir/" + "long" * 60, b"name"), ("ü/b c", LARGE), ("empty/e", b"")]


def archive(files, kind=tarfile.PAX_FORMAT, links=True, attributes=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.pax_headers = (attributes or {}).get(name, {})
            tar.addfile(entry, io.BytesIO(content))
        if links:
            for name, type_ in (("dir/folder", tarfile.DIRTYPE), ("dir/link", tarfile.SYMTYPE)):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = type_, "a"
                tar.addfile(entry)
    return out.getvalue()


def upload(account, path, body, kind="tar", headers=JSON):
    return account.send("PUT", f"{path}?extract-archive={kind}", headers, body)


PACKED = {"tar": lambda b: b, "tar.gz": gzip.compress, "tar.bz2": bz2.compress,
          # Streams one after the other are one archive.
          "tar.gz ": lambda b: gzip.compress(b[:700]) + gzip.compress(b[700:]), "tar.bz2 ": lambda b: bz2.compress(b[:700]) + bz2.compress(b[700:])}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archive_to_a_container(demo, container, kind, format_):
    files = [f for f in FILES if format_ != tarfile.USTAR_FORMAT or len(f[0]) < 100]
    answer = upload(demo, f"/{container}", PACKED[kind](archive(files, format_)), kind.strip())
    assert answer.status == 200, answer.text
    assert answer.json == {"Number Files Created": len(files), "Response Status": "201 Created", "Response Body": "", "Errors": []}
    listed = {o["name"]: o["hash"] for o in demo.send("GET", f"/{container}?format=json").json}
    assert listed == {name: md5(content) for name, content in files}


def test_archive_to_an_account_makes_containers(demo):
    names = [f"bulk-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    files = [(f"./{names[0]}/a", b"1"), (f"/{names[1]}/dir/b", b"22"), ("no-container", b"3")]
    try:
        answer = upload(demo, "", archive(files, links=False))
        assert answer.json["Number Files Created"] == 2 and answer.json["Response Status"] == "201 Created"
        assert demo.send("GET", f"/{names[0]}").lines == ["a"] and demo.send("GET", f"/{names[1]}/dir/b").body == b"22"
    finally:
        for name in names:
            demo.empty(name)
            demo.send("DELETE", f"/{name}")


def test_prefix_and_expiry(demo, container):
    answer = upload(demo, f"/{container}/pre/fix", archive([("a", b"1")], links=False), headers={**JSON, "X-Delete-After": "1000"})
    assert answer.json["Number Files Created"] == 1
    assert "x-delete-at" in demo.send("HEAD", f"/{container}/pre/fix/a").headers


def test_extended_attributes(demo, container):
    attributes = {"a": {"SCHILY.xattr.user.mime_type": "text/x-own", "SCHILY.xattr.user.meta.color": "blue",
                        "SCHILY.xattr.user.other": "x"}}
    assert upload(demo, f"/{container}", archive([("a", b"1"), ("b.txt", b"2")], attributes=attributes, links=False)).json["Errors"] == []
    first = demo.send("HEAD", f"/{container}/a").headers
    assert first["content-type"] == "text/x-own" and first["x-object-meta-color"] == "blue"
    second = demo.send("HEAD", f"/{container}/b.txt").headers
    assert second["content-type"] == "text/plain" and "x-object-meta-color" not in second


def test_formats_of_the_answer(demo, container):
    body = archive([("a", b"1")], links=False)
    assert upload(demo, f"/{container}", body, headers={}).lines == [
        "Number Files Created: 1", "Response Body: ", "Response Status: 201 Created", "Errors:"]
    xml = upload(demo, f"/{container}", body, headers={"Accept": "application/xml"}).text
    assert "<number_files_created>1</number_files_created>" in xml and "<errors>" in xml
    assert upload(demo, f"/{container}", body, headers={"Accept": "image/png"}).status == 406
    xml = demo.send("POST", "?bulk-delete", {"Accept": "text/xml"}, f"/{container}/a\n/{container}/missing").text
    assert "<number_deleted>1</number_deleted>" in xml and "<number_not_found>1</number_not_found>" in xml
    assert demo.send("POST", "?bulk-delete", {"Accept": "image/png"}, "x").status == 406


@pytest.mark.parametrize("kind,body", [
    ("tar", b"no archive" * 100), ("tar", b""), ("tar", b"\0" * 1024), ("tar.gz", b"no gzip"), ("tar.bz2", b"no bzip2" * 10),
    ("tar.gz", gzip.compress(archive([("a", LARGE)]))[:-1000]), ("tar.bz2", bz2.compress(archive([("a", LARGE)]))[:-1000]),
    ("tar", archive([("a", LARGE)])[:100_000])])
def test_archives_that_are_none(demo, container, kind, body):
    answer = upload(demo, f"/{container}", body, kind)
    assert answer.status == 200 and answer.json["Response Status"] == "400 Bad Request", answer.text
    assert answer.json["Response Body"].startswith("Invalid Tar File: ") and answer.json["Number Files Created"] == 0
    assert demo.send("GET", f"/{container}").status == 204


def test_what_is_refused(demo, container):
    body = archive([("a", b"1")])
    assert upload(demo, f"/{container}", body, "zip").status == 400
    assert demo.send("PUT", f"/{container}?extract-archive=tar", body=body, token=None).status == 401
    long = [("x" * 257 + "/a", b"1"), (container + "/b", b"2")]
    answer = upload(demo, "", archive(long, links=False)).json
    assert answer["Number Files Created"] == 1 and answer["Response Status"] == "400 Bad Request"
    assert answer["Errors"] == [["x" * 257 + "/a", "400 Bad Request"]]


def test_rights(demo, container):
    stranger = new_account("stranger")
    answer = demo.send("PUT", f"/{container}?extract-archive=tar", JSON, archive([("a", b"1"), ("b", b"2")]), token=stranger.token)
    assert answer.json["Number Files Created"] == 0 and [e[1] for e in answer.json["Errors"]] == ["403 Forbidden"] * 2
    demo.send("POST", f"/{container}", {"X-Container-Write": stranger.project})
    answer = demo.send("PUT", f"/{container}?extract-archive=tar", JSON, archive([("a", b"1")]), token=stranger.token)
    assert answer.json["Number Files Created"] == 1
    new = f"new-{uuid.uuid4().hex[:8]}"
    answer = demo.send("PUT", "?extract-archive=tar", JSON, archive([(f"{new}/a", b"1")]), token=stranger.token).json
    assert answer["Errors"] == [[f"{new}/a", "403 Forbidden"]] and answer["Number Files Created"] == 0
    assert demo.send("HEAD", f"/{new}").status == 404


def test_quota(demo, container):
    demo.send("POST", f"/{container}", {"X-Container-Meta-Quota-Count": "1"})
    answer = upload(demo, f"/{container}", archive([("a", b"1"), ("b", b"2")], links=False)).json
    assert answer["Number Files Created"] == 1 and answer["Errors"] == [[f"{container}/b", "413 Request Entity Too Large"]]


def test_bulk_delete_stops_after_too_many_failures(demo, container):
    limit = send("GET", "/info").json["bulk_delete"]["max_failed_deletes"]
    lines = "\n".join(["/%FF"] * (limit + 500))
    answer = demo.send("POST", "?bulk-delete", JSON, lines).json
    assert answer["Response Body"] == "Max delete failures exceeded" and limit <= len(answer["Errors"]) < limit + 100
    empty = demo.send("POST", "?bulk-delete", JSON, "").json
    assert empty["Response Status"] == "400 Bad Request" and empty["Response Body"] == "Invalid bulk delete."
