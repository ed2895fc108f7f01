"""Large objects of Swift, static and dynamic, by hand: every row of the reference, with good and bad use, and as S3 sees them."""
import base64
import hashlib
import json
import urllib.parse
import uuid

import pytest

from conftest import md5, pattern, refused, wait_until
from swiftapi import adm, new_account, send

JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def stranger():
    return new_account("stranger")


@pytest.fixture
def segments(demo, container):
    """Three segments of different sizes, the second one beyond what stands beside a register."""
    parts = [pattern(1000, 1), pattern(2_500_000, 2), pattern(77, 3)]
    for number, data in enumerate(parts):
        demo.put(f"/{container}/seg/{number}", data, Content_Type="application/x-part")
    return parts


def entries(container, parts, **more):
    return [{"path": f"/{container}/seg/{n}", "etag": md5(d), "size_bytes": len(d), **more} for n, d in enumerate(parts)]


def slo_etag(*tags):
    return hashlib.md5("".join(tags).encode()).hexdigest()


def put(account, path, manifest, query="", headers=None):
    return account.send("PUT", f"{path}?multipart-manifest=put{query}", headers, json.dumps(manifest))


def whole(demo, container, parts, name="large", **headers):
    answer = put(demo, f"/{container}/{name}", entries(container, parts), headers={n.replace("_", "-"): v for n, v in headers.items()})
    assert answer.status == 201, answer.text
    return answer


# Static: what it counts

def test_slo_counts_with_its_manifest(demo, container, segments):
    """Usage and quotas: the segments count where they lie, and only once."""
    content = sum(map(len, segments))

    def held(bucket=container):
        return [(b["objects"], b["bytes"]) for b in adm("get-usage")["buckets"] if b["bucket"] == bucket][0]
    wait_until("the count", lambda: held() == (len(segments), content))
    adm("set-bucket-quota", container, str(content + 5000), "0")
    for number in range(5):
        whole(demo, container, segments, f"large{number}")
    wait_until("the count", lambda: held()[0] == len(segments) + 5)
    wait_until("the count", lambda: content < held()[1] < content + 5000)
    assert demo.send("PUT", f"/{container}/more", body=b"x" * 5000).status == 413
    manifests = held()[1] - content
    assert demo.send("HEAD", f"/{container}").headers["x-container-bytes-used"] == str(content + manifests)
    demo.send("DELETE", f"/{container}/large0")
    wait_until("the count", lambda: held()[1] == content + manifests * 4 // 5)
    assert demo.send("PUT", f"/{container}/large1", body=b"x").status == 201
    wait_until("the count", lambda: held() == (len(segments) + 4, content + manifests * 3 // 5 + 1))


# Static: what it is

def test_info_tells_the_limits():
    info = send("GET", "/info").json["slo"]
    assert info["max_manifest_segments"] == 1000 and info["max_manifest_size"] == 8 << 20 and info["min_segment_size"] == 1


def test_slo_is_joined(demo, container, segments):
    etag = slo_etag(*map(md5, segments))
    assert whole(demo, container, segments, Content_Type="text/x-large", X_Object_Meta_Color="blue").headers["etag"] == f'"{etag}"'
    data = b"".join(segments)
    for method in ("HEAD", "GET"):
        answer = demo.send(method, f"/{container}/large")
        assert answer.status == 200 and answer.headers["etag"] == f'"{etag}"'
        assert answer.headers["content-length"] == str(len(data)) and answer.headers["content-type"] == "text/x-large"
        assert answer.headers["x-static-large-object"] == "True" and answer.headers["x-object-meta-color"] == "blue"
        assert len(answer.headers["x-manifest-etag"]) == 32
    assert answer.body == data
    listed = {o["name"]: o for o in demo.send("GET", f"/{container}?format=json").json}["large"]
    assert listed["bytes"] == len(data) and listed["slo_etag"] == f'"{etag}"'
    assert listed["hash"] == answer.headers["x-manifest-etag"]


def test_slo_ranges(demo, container, segments):
    whole(demo, container, segments)
    data = b"".join(segments)
    size = len(data)
    for first, last in [(0, 0), (990, 1010), (999, 999), (1000, 1000), (2_500_990, 2_501_010), (size - 1, size - 1), (0, size - 1)]:
        answer = demo.send("GET", f"/{container}/large", {"Range": f"bytes={first}-{last}"})
        assert answer.status == 206 and answer.body == data[first:last + 1], (first, last)
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
    assert demo.send("GET", f"/{container}/large", {"Range": "bytes=-100"}).body == data[-100:]
    assert demo.send("GET", f"/{container}/large", {"Range": f"bytes={size - 5}-"}).body == data[-5:]
    several = demo.send("GET", f"/{container}/large", {"Range": "bytes=995-1005,0-3"})
    assert several.status == 206 and several.headers["content-type"].startswith("multipart/byteranges")
    assert data[995:1006] in several.body and data[:4] in several.body
    beyond = demo.send("GET", f"/{container}/large", {"Range": f"bytes={size}-"})
    assert beyond.status == 416 and beyond.headers["content-range"] == f"bytes */{size}"


def test_slo_part_numbers(demo, container, segments):
    whole(demo, container, segments)
    for number, data in enumerate(segments, 1):
        answer = demo.send("GET", f"/{container}/large?part-number={number}")
        assert answer.status == 206 and answer.body == data and answer.headers["x-parts-count"] == "3"
        assert demo.send("HEAD", f"/{container}/large?part-number={number}").headers["content-length"] == str(len(data))
    assert demo.send("GET", f"/{container}/large?part-number=4").status == 416
    assert demo.send("GET", f"/{container}/large?part-number=0").status == 400
    assert demo.send("GET", f"/{container}/large?part-number=1", {"Range": "bytes=0-1"}).status == 400


def test_slo_conditions(demo, container, segments):
    etag = whole(demo, container, segments).headers["etag"]
    assert demo.send("GET", f"/{container}/large", {"If-None-Match": etag}).status == 304
    assert demo.send("GET", f"/{container}/large", {"If-Match": etag.strip('"')}).status == 200
    assert demo.send("HEAD", f"/{container}/large", {"If-Match": "other"}).status == 412
    again = put(demo, f"/{container}/large", entries(container, segments), headers={"If-None-Match": "*"})
    assert again.status == 412


def test_slo_ranges_of_segments_inline_data_and_nesting(demo, container, segments):
    first, second, third = segments
    inline = b"between"
    inner = put(demo, f"/{container}/inner", [
        {"path": f"/{container}/seg/1", "range": "10-1999999"}, {"data": base64.b64encode(inline).decode()},
        {"path": f"{container}/seg/0", "range": "-100"}])
    ranged = f"{md5(second)}:10-1999999;"
    inner_etag = slo_etag(ranged, md5(inline), f"{md5(first)}:900-999;")
    assert inner.status == 201 and inner.headers["etag"] == f'"{inner_etag}"', inner.text
    expected = second[10:2_000_000] + inline + first[-100:]
    assert demo.send("GET", f"/{container}/inner").body == expected
    outer = put(demo, f"/{container}/outer", [
        {"path": f"/{container}/seg/2"}, {"path": f"/{container}/inner", "etag": inner_etag, "range": "5-2000090"},
        # The whole of it is no range.
        {"path": f"/{container}/seg/0", "range": "0-999"}])
    assert outer.status == 201, outer.text
    assert outer.headers["etag"] == f'"{slo_etag(md5(third), f"{inner_etag}:5-2000090;", md5(first))}"'
    expected = third + expected[5:2_000_091] + first
    assert demo.send("GET", f"/{container}/outer").body == expected
    assert demo.send("GET", f"/{container}/outer", {"Range": "bytes=70-90"}).body == expected[70:91]
    shown = demo.send("GET", f"/{container}/outer?multipart-manifest=get").json
    assert shown[1]["sub_slo"] is True and shown[1]["range"] == "5-2000090" and "range" not in shown[2]


def test_slo_nests_ten_levels(demo, container):
    demo.put(f"/{container}/leaf", b"leaf")
    previous = "leaf"
    for level in range(11):
        assert put(demo, f"/{container}/level{level}", [{"path": f"/{container}/{previous}"}]).status == 201
        previous = f"level{level}"
    assert demo.send("GET", f"/{container}/level9").body == b"leaf"
    assert demo.send("GET", f"/{container}/level10").status == 409


def test_slo_manifest_is_shown(demo, container, segments):
    whole(demo, container, segments)
    answer = demo.send("GET", f"/{container}/large?multipart-manifest=get")
    assert answer.headers["content-type"] == "application/json; charset=utf-8" and answer.headers["x-static-large-object"] == "True"
    assert answer.headers["etag"] == md5(answer.body) == demo.send("HEAD", f"/{container}/large").headers["x-manifest-etag"]
    assert answer.headers["content-length"] == demo.send("HEAD", f"/{container}/large?multipart-manifest=get").headers["content-length"]
    for number, entry in enumerate(answer.json):
        assert entry["name"] == f"/{container}/seg/{number}" and entry["bytes"] == len(segments[number])
        assert entry["hash"] == md5(segments[number]) and entry["content_type"] == "application/x-part"
        assert len(entry["last_modified"]) == 26
    raw = demo.send("GET", f"/{container}/large?multipart-manifest=get&format=raw")
    assert raw.headers["etag"] == md5(raw.body)
    assert [sorted(e) for e in raw.json] == [["etag", "path", "size_bytes"]] * 3
    assert put(demo, f"/{container}/again", raw.json).status == 201
    assert demo.send("GET", f"/{container}/again").body == b"".join(segments)


# Static: what is refused

@pytest.mark.parametrize("manifest,text", [
    ("no json", "Manifest must be valid JSON."), ({}, "Manifest must be a list."), ([], "Manifest must have at least one segment."),
    (["x"], "Index 0: not a JSON object"), ([{"etag": "x"}], "Index 0: expected keys to include one of"),
    ([{"path": "/c/o", "color": 1}], 'Index 0: extraneous keys "color"'),
    ([{"path": "/c"}], "Index 0: path does not refer to an object. Path must be of the form /container/object."),
    ([{"path": 5}], 'Index 0: "path" must be a string'), ([{"path": "/c/o", "size_bytes": "x"}], "Index 0: invalid size_bytes"),
    ([{"path": "/c/o", "range": "0-1,3-4"}], "Index 0: multiple ranges (only one allowed)"),
    ([{"path": "/c/o", "range": "x"}], "Index 0: invalid range"),
    ([{"path": "/c/o", "range": "9-10", "size_bytes": 5}], "Index 0: unsatisfiable range"),
    ([{"path": "/c/o", "size_bytes": 0}, {"path": "/c/o"}], "Index 0: too small; each segment must be at least 1 byte."),
    ([{"path": "/c/o"}, {"data": "%%%"}], "Index 1: data must be valid base64"),
    ([{"path": "/c/o"}, {"data": ""}], "Index 1: too small; each segment must be at least 1 byte."),
    ([{"data": "YQ=="}], "Inline data segments require at least one object-backed segment."),
])
def test_slo_manifest_faults(demo, container, manifest, text):
    body = manifest if isinstance(manifest, str) else json.dumps(manifest)
    answer = demo.send("PUT", f"/{container}/large?multipart-manifest=put", body=body)
    assert answer.status == 400 and text in answer.text, answer.text
    assert demo.send("HEAD", f"/{container}/large").status == 404


def test_slo_must_not_name_itself(demo, container):
    answer = put(demo, f"/{container}/large", [{"path": f"/{container}/large"}])
    assert answer.status == 400 and "manifest must not include itself as a segment" in answer.text


def test_slo_segments_are_checked(demo, container, segments):
    demo.put(f"/{container}/nothing")
    manifest = [
        {"path": f"/{container}/missing"}, {"path": f"/{container}/seg/0", "etag": "0" * 32},
        {"path": f"/{container}/seg/0", "size_bytes": 1001}, {"path": f"/{container}/seg/0", "range": "1000-"},
        {"path": f"/{container}/nothing"}, {"path": f"/{container}/seg/2"}, {"path": f"/no-such-{container}/x"}]
    answer = put(demo, f"/{container}/large", manifest, headers=JSON)
    assert answer.status == 400 and answer.headers["content-type"].startswith("application/json")
    assert answer.json["Errors"] == [
        [f"/{container}/missing", "404 Not Found"], [f"/{container}/seg/0", "Etag Mismatch"], [f"/{container}/seg/0", "Size Mismatch"],
        [f"/{container}/seg/0", "Unsatisfiable Range"], [f"/{container}/nothing", "Too Small; each segment must be at least 1 byte."],
        [f"/no-such-{container}/x", "404 Not Found"]]
    text = put(demo, f"/{container}/large", manifest).text
    assert text.startswith("Errors:\n") and f"/{container}/missing, 404 Not Found\n" in text
    assert b"<errors>" in put(demo, f"/{container}/large", manifest, headers={"Accept": "application/xml"}).body
    assert demo.send("HEAD", f"/{container}/large").status == 404


def test_slo_limits(demo, container, segments):
    many = [{"path": f"/{container}/seg/2"}] * 1000
    assert put(demo, f"/{container}/many", many).status == 201
    assert demo.send("GET", f"/{container}/many").body == segments[2] * 1000
    refused = put(demo, f"/{container}/many", many + many[:1])
    assert refused.status == 413 and "Number of object-backed segments must be <= 1000" in refused.text
    long = {"Content-Length": str((8 << 20) + 1)}
    assert demo.send("PUT", f"/{container}/many?multipart-manifest=put", long, b"[").status == 413
    assert demo.send("PUT", f"/{container}/x", {"X-Static-Large-Object": "True"}).status == 400
    assert put(demo, f"/{container}/x", many[:1], headers={"X-Copy-From": f"/{container}/seg/0"}).status == 405
    assert put(demo, f"/{container}/x", many[:1], headers={"ETag": "0" * 32}).status == 422
    assert put(demo, f"/{container}/x", many[:1], headers={"ETag": slo_etag(md5(segments[2]))}).status == 201


def test_slo_heartbeat(demo, container, segments):
    answer = put(demo, f"/{container}/large", entries(container, segments), "&heartbeat=on", JSON)
    assert answer.status == 202 and answer.headers.get("transfer-encoding") == "chunked"
    report = answer.json
    assert report["Response Status"] == "201 Created" and report["Errors"] == []
    assert report["Etag"] == f'"{slo_etag(*map(md5, segments))}"' and report["Last Modified"].endswith("GMT")
    assert demo.send("GET", f"/{container}/large").body == b"".join(segments)
    bad = put(demo, f"/{container}/bad", [{"path": f"/{container}/missing"}], "&heartbeat=on", JSON)
    assert bad.status == 202 and bad.json["Response Status"] == "400 Bad Request"
    assert bad.json["Errors"] == [[f"/{container}/missing", "404 Not Found"]]
    assert demo.send("HEAD", f"/{container}/bad").status == 404
    many = put(demo, f"/{container}/many", [{"path": f"/{container}/seg/2"}] * 1000, "&heartbeat=on", JSON)
    assert many.status == 202 and many.json["Response Status"] == "201 Created"
    assert demo.send("GET", f"/{container}/many").body == segments[2] * 1000
    # What is wrong with the document itself is known before the answer begins.
    assert put(demo, f"/{container}/bad", [], "&heartbeat=on", JSON).status == 400


def test_slo_with_a_segment_that_changed(demo, container, segments):
    whole(demo, container, segments)
    demo.put(f"/{container}/seg/0", b"another one")
    assert demo.send("GET", f"/{container}/large").status == 409
    assert demo.send("HEAD", f"/{container}/large").status == 200
    # What can be had is had.
    assert demo.send("GET", f"/{container}/large?part-number=3").body == segments[2]
    demo.put(f"/{container}/seg/0", segments[0])
    assert demo.send("GET", f"/{container}/large").body == b"".join(segments)
    assert demo.send("DELETE", f"/{container}/seg/2").status == 204
    import http.client
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        demo.send("GET", f"/{container}/large")


def test_slo_post_keeps_the_manifest(demo, container, segments):
    whole(demo, container, segments, X_Object_Meta_A="1")
    assert demo.send("POST", f"/{container}/large", {"X-Object-Meta-B": "2"}).status == 202
    answer = demo.send("GET", f"/{container}/large")
    assert answer.body == b"".join(segments) and answer.headers["x-static-large-object"] == "True"
    assert answer.headers["x-object-meta-b"] == "2" and "x-object-meta-a" not in answer.headers
    # A plain PUT makes it a plain object.
    demo.put(f"/{container}/large", b"plain")
    answer = demo.send("GET", f"/{container}/large")
    assert answer.body == b"plain" and "x-static-large-object" not in answer.headers


def test_slo_delete(demo, container, segments):
    whole(demo, container, segments, "inner")
    demo.put(f"/{container}/own", b"own")
    assert put(demo, f"/{container}/outer", [{"path": f"/{container}/inner"}, {"path": f"/{container}/own"},
                                             {"path": f"/{container}/inner"}]).status == 201
    # Without the query only the manifest goes.
    whole(demo, container, segments, "other")
    assert demo.send("DELETE", f"/{container}/other").status == 204
    report = demo.send("DELETE", f"/{container}/outer?multipart-manifest=delete", JSON)
    assert report.status == 200 and report.json["Response Status"] == "200 OK" and report.json["Errors"] == []
    assert report.json["Number Deleted"] == 6 and report.json["Number Not Found"] == 0
    assert demo.send("GET", f"/{container}").status == 204
    demo.put(f"/{container}/plain", b"x")
    plain = demo.send("DELETE", f"/{container}/plain?multipart-manifest=delete", JSON).json
    assert plain["Response Status"] == "400 Bad Request" and plain["Response Body"] == "Not an SLO manifest"
    missing = demo.send("DELETE", f"/{container}/missing?multipart-manifest=delete", JSON).json
    assert missing["Response Status"] == "404 Not Found" and missing["Number Deleted"] == 0


def test_slo_delete_with_a_segment_that_has_gone(demo, container, segments):
    whole(demo, container, segments)
    demo.send("DELETE", f"/{container}/seg/1")
    report = demo.send("DELETE", f"/{container}/large?multipart-manifest=delete").lines
    assert "Number Deleted: 3" in report and "Number Not Found: 1" in report


def test_slo_delete_later(demo, container, segments):
    """`async=yes` leaves the segments to repair: gone for clients at once, in lists until it comes by (test_swift_settings.py)."""
    whole(demo, container, segments)
    demo.put(f"/{container}/other", b"x")
    answer = demo.send("DELETE", f"/{container}/large?multipart-manifest=delete&async=yes", JSON)
    assert answer.status == 204 and answer.body == b""
    assert demo.send("GET", f"/{container}/large").status == 404
    for number in range(len(segments)):
        assert demo.send("GET", f"/{container}/seg/{number}").status == 404
    assert demo.send("GET", f"/{container}/other").body == b"x"
    # A name that is used again is another object.
    demo.put(f"/{container}/seg/0", b"new")
    assert demo.send("GET", f"/{container}/seg/0").body == b"new"


def test_slo_delete_later_is_refused(demo, container, segments, stranger):
    def later(name, **options):
        return demo.send("DELETE", f"/{container}/{name}?multipart-manifest=delete&async=on", JSON, **options)

    whole(demo, container, segments)
    assert put(demo, f"/{container}/outer", [{"path": f"/{container}/large"}]).status == 201
    nested = later("outer")
    assert nested.status == 400 and nested.text == "No segments may be large objects."
    demo.put(f"/{container}/plain", b"x")
    assert later("plain").status == 400 and later("plain").text == "Not an SLO manifest"
    assert later("missing").status == 404
    other = f"other-{uuid.uuid4().hex[:8]}"
    demo.put(f"/{other}")
    try:
        demo.put(f"/{other}/seg", b"elsewhere")
        assert put(demo, f"/{container}/two", [{"path": f"/{container}/seg/0"}, {"path": f"/{other}/seg"}]).status == 201
        two = later("two")
        assert two.status == 400 and two.text.startswith("All segments must be in one container. Found segments in ")
        # Whoever may delete the manifest may not therefore delete what it names.
        assert put(demo, f"/{other}/large", entries(container, segments)).status == 201
        demo.send("POST", f"/{other}", {"X-Container-Write": stranger.project + ":*", "X-Container-Read": ".r:*"})
        theirs = demo.send("DELETE", f"/{other}/large?multipart-manifest=delete&async=yes", JSON, token=stranger.token)
        assert theirs.status == 403
        assert demo.send("HEAD", f"/{other}/large").status == 200
    finally:
        demo.empty(other)
        demo.send("DELETE", f"/{other}")
    assert demo.send("GET", f"/{container}/seg/0").body == segments[0]


def test_slo_rights(demo, container, segments, stranger):
    """Who may read the manifest may not therefore read the segments."""
    public = f"public-{uuid.uuid4().hex[:8]}"
    demo.put(f"/{public}")
    try:
        assert demo.send("POST", f"/{public}", {"X-Container-Read": ".r:*"}).status == 204
        assert put(demo, f"/{public}/large", entries(container, segments)).status == 201
        assert demo.send("HEAD", f"/{public}/large", token=None).status == 200
        assert demo.send("GET", f"/{public}/large", token=None).status == 401
        assert demo.send("GET", f"/{public}/large", token=stranger.token).status == 403
        demo.send("POST", f"/{container}", {"X-Container-Read": ".r:*"})
        assert demo.send("GET", f"/{public}/large", token=None).body == b"".join(segments)
        # Nor make a manifest of what is not theirs to read.
        demo.send("POST", f"/{container}", {"X-Remove-Container-Read": "x"})
        demo.send("POST", f"/{public}", {"X-Container-Write": stranger.project, "X-Container-Read": stranger.project})
        answer = demo.send("PUT", f"/{public}/stolen?multipart-manifest=put", JSON,
                           json.dumps(entries(container, segments)), token=stranger.token)
        assert answer.status == 400 and {e[1] for e in answer.json["Errors"]} == {"403 Forbidden"}
        deleted = demo.send("DELETE", f"/{public}/large?multipart-manifest=delete", JSON, token=stranger.token).json
        assert {e[1] for e in deleted["Errors"]} <= {"403 Forbidden"} and deleted["Response Status"] != "200 OK"
        assert demo.send("HEAD", f"/{container}/seg/0").status == 200
    finally:
        demo.empty(public)
        demo.send("DELETE", f"/{public}")


# Copies

def test_copy_of_slo(demo, container, segments):
    whole(demo, container, segments, X_Object_Meta_A="1")
    data = b"".join(segments)
    assert demo.send("COPY", f"/{container}/large", {"Destination": f"/{container}/plain"}).status == 201
    answer = demo.send("GET", f"/{container}/plain")
    assert answer.body == data and answer.headers["etag"] == md5(data) and "x-static-large-object" not in answer.headers
    assert answer.headers["x-object-meta-a"] == "1"
    copied = demo.send("COPY", f"/{container}/large?multipart-manifest=get", {"Destination": f"/{container}/slo"})
    assert copied.status == 201 and copied.headers["etag"] == f'"{slo_etag(*map(md5, segments))}"'
    answer = demo.send("GET", f"/{container}/slo")
    assert answer.body == data and answer.headers["x-static-large-object"] == "True" and answer.headers["x-object-meta-a"] == "1"
    pulled = demo.send("PUT", f"/{container}/slo2?multipart-manifest=get", {"X-Copy-From": f"/{container}/large"})
    assert pulled.status == 201 and demo.send("HEAD", f"/{container}/slo2").headers["x-static-large-object"] == "True"
    part = demo.send("PUT", f"/{container}/part", {"X-Copy-From": f"/{container}/large", "Range": "bytes=900-1100"})
    assert part.status == 201 and demo.send("GET", f"/{container}/part").body == data[900:1101]
    demo.send("DELETE", f"/{container}/seg/0")
    assert demo.send("COPY", f"/{container}/large", {"Destination": f"/{container}/broken"}).status == 409
    assert demo.send("HEAD", f"/{container}/broken").status == 404


def test_copy_of_dlo(demo, container, segments):
    demo.put(f"/{container}/large", X_Object_Manifest=f"{container}/seg/")
    data = b"".join(segments)
    assert demo.send("COPY", f"/{container}/large", {"Destination": f"/{container}/plain"}).status == 201
    answer = demo.send("GET", f"/{container}/plain")
    assert answer.body == data and "x-object-manifest" not in answer.headers
    assert demo.send("COPY", f"/{container}/large?multipart-manifest=get", {"Destination": f"/{container}/dlo"}).status == 201
    answer = demo.send("GET", f"/{container}/dlo")
    assert answer.body == data and answer.headers["x-object-manifest"] == f"{container}/seg/"


def test_copy_between_accounts(demo, container, stranger, segments):
    """Destination-Account and X-Copy-From-Account, each with and without rights; an SLO's bytes, and its manifest."""
    whole(demo, container, segments)
    data = b"".join(segments)
    own = f"own-{uuid.uuid4().hex[:8]}"
    stranger.put(f"/{own}")
    account, theirs = (urllib.parse.unquote(a.path.split("/")[-1]) for a in (demo, stranger))
    push = {"Destination": f"/{own}/copy", "Destination-Account": theirs}
    pull = {"X-Copy-From": f"/{container}/large", "X-Copy-From-Account": account}
    try:
        assert demo.send("COPY", f"/{container}/large", push).status == 403
        assert stranger.send("PUT", f"/{own}/pulled", pull).status == 403
        stranger.send("POST", f"/{own}", {"X-Container-Write": demo.project})
        pushed = demo.send("COPY", f"/{container}/large", push)
        assert pushed.status == 201 and pushed.headers["x-copied-from-account"] == account
        assert stranger.send("GET", f"/{own}/copy").body == data
        demo.send("POST", f"/{container}", {"X-Container-Read": stranger.project})
        assert stranger.send("PUT", f"/{own}/pulled", pull).status == 201
        assert stranger.send("GET", f"/{own}/pulled").body == data
        # A manifest names objects of its own account: there are none of these names.
        assert stranger.send("PUT", f"/{own}/manifest?multipart-manifest=get", pull).status == 400
        assert demo.send("COPY", f"/{container}/large", {**push, "Destination-Account": "a/b"}).status == 412
        fresh = demo.send("COPY", f"/{container}/large", {"Destination": f"/{container}/fresh", "X-Fresh-Metadata": "true",
                                                          "X-Object-Meta-New": "1"})
        assert fresh.status == 201 and demo.send("HEAD", f"/{container}/fresh").headers["x-object-meta-new"] == "1"
    finally:
        stranger.empty(own)
        stranger.send("DELETE", f"/{own}")


# Dynamic

def test_dlo_is_what_is_there(demo, container, segments):
    demo.put(f"/{container}/large", X_Object_Manifest=f"{container}/seg/", Content_Type="text/x-large")
    data, etag = b"".join(segments), slo_etag(*map(md5, segments))
    for method in ("HEAD", "GET"):
        answer = demo.send(method, f"/{container}/large")
        assert answer.status == 200 and answer.headers["content-length"] == str(len(data)) and answer.headers["etag"] == f'"{etag}"'
        assert answer.headers["x-object-manifest"] == f"{container}/seg/" and answer.headers["content-type"] == "text/x-large"
    assert answer.body == data
    ranged = demo.send("GET", f"/{container}/large", {"Range": "bytes=998-1001"})
    assert ranged.status == 206 and ranged.body == data[998:1002] and ranged.headers["content-range"] == f"bytes 998-1001/{len(data)}"
    demo.put(f"/{container}/seg/10", b"in between")
    assert demo.send("GET", f"/{container}/large").body == segments[0] + segments[1] + b"in between" + segments[2]
    assert demo.send("DELETE", f"/{container}/seg/1").status == 204
    assert demo.send("GET", f"/{container}/large").body == segments[0] + b"in between" + segments[2]


def test_dlo_marker_and_post(demo, container, segments):
    demo.put(f"/{container}/large", b"the marker", X_Object_Manifest=f"{container}/seg/")
    own = demo.send("GET", f"/{container}/large?multipart-manifest=get")
    assert own.body == b"the marker" and own.headers["etag"] == md5(b"the marker")
    assert demo.send("POST", f"/{container}/large", {"X-Object-Manifest": f"{container}/seg/0", "X-Object-Meta-A": "1"}).status == 202
    assert demo.send("GET", f"/{container}/large").body == segments[0]
    assert demo.send("POST", f"/{container}/large", {"X-Object-Meta-A": "1"}).status == 202
    plain = demo.send("GET", f"/{container}/large")
    assert plain.body == b"the marker" and "x-object-manifest" not in plain.headers


@pytest.mark.parametrize("value", ["nothing", "/x", "c/", "c//x", "c/a?b", "c/a&b", "c%2F"])
def test_dlo_headers_that_are_refused(demo, container, value):
    answer = demo.send("PUT", f"/{container}/large", {"X-Object-Manifest": value})
    assert answer.status == 400 and answer.text == "X-Object-Manifest must be in the format container/prefix"


def test_dlo_of_nothing(demo, container):
    demo.put(f"/{container}/large", X_Object_Manifest="no-such-container/seg")
    answer = demo.send("GET", f"/{container}/large")
    assert answer.status == 200 and answer.body == b"" and answer.headers["etag"] == f'"{md5(b"")}"'


def test_dlo_names_and_rights(demo, container, stranger):
    demo.put(f"/{container}/seg%20%C3%BC/1", b"1")
    demo.put(f"/{container}/seg%20%C3%BC/2", b"2")
    demo.put(f"/{container}/large", X_Object_Manifest=f"{container}/seg%20%C3%BC/")
    answer = demo.send("GET", f"/{container}/large")
    assert answer.body == b"12" and answer.headers["x-object-manifest"] == f"{container}/seg%20%C3%BC/"
    public = f"public-{uuid.uuid4().hex[:8]}"
    demo.put(f"/{public}", X_Container_Read="x")
    try:
        demo.send("POST", f"/{public}", {"X-Container-Read": ".r:*"})
        demo.put(f"/{public}/large", X_Object_Manifest=f"{container}/seg")
        assert demo.send("GET", f"/{public}/large", token=None).status == 401
        assert demo.send("GET", f"/{public}/large", token=stranger.token).status == 403
    finally:
        demo.empty(public)
        demo.send("DELETE", f"/{public}")


def test_dlo_of_large_objects(demo, container, segments):
    whole(demo, container, segments, "all/1")
    demo.put(f"/{container}/all/2", b"tail")
    demo.put(f"/{container}/large", X_Object_Manifest=f"{container}/all/")
    assert demo.send("GET", f"/{container}/large").body == b"".join(segments) + b"tail"


# Both fronts

def test_s3_sees_one_object(demo, s3, container, segments):
    whole(demo, container, segments, Content_Type="text/x-large", X_Object_Meta_Color="blue")
    data, etag = b"".join(segments), f'"{slo_etag(*map(md5, segments))}"'
    head = s3.head_object(Bucket=container, Key="large")
    # Without the dash clients would take it for the MD5 of the content.
    shown = etag[:-1] + '-N"'
    assert head["ContentLength"] == len(data) and head["ETag"] == shown and head["Metadata"] == {"color": "blue"}
    assert s3.get_object(Bucket=container, Key="large")["Body"].read() == data
    for first, last in [(0, 10), (990, 1010), (2_500_990, 2_501_010)]:
        got = s3.get_object(Bucket=container, Key="large", Range=f"bytes={first}-{last}")
        assert got["Body"].read() == data[first:last + 1] and got["ContentRange"] == f"bytes {first}-{last}/{len(data)}"
    listed = {o["Key"]: o for o in s3.list_objects_v2(Bucket=container)["Contents"]}["large"]
    assert listed["Size"] == len(data) and listed["ETag"] == shown
    assert s3.get_object(Bucket=container, Key="large", IfMatch=shown)["ETag"] == shown
    with refused("PreconditionFailed"):
        s3.get_object(Bucket=container, Key="large", IfMatch=etag)
    with refused("304", 304):
        s3.head_object(Bucket=container, Key="large", IfNoneMatch=shown)
    s3.copy_object(Bucket=container, Key="copy", CopySource={"Bucket": container, "Key": "large"})
    copy = demo.send("GET", f"/{container}/copy")
    assert copy.body == data and copy.headers["etag"] == md5(data) and "x-static-large-object" not in copy.headers
    upload = s3.create_multipart_upload(Bucket=container, Key="joined")["UploadId"]
    part = s3.upload_part_copy(Bucket=container, Key="joined", UploadId=upload, PartNumber=1,
                               CopySource={"Bucket": container, "Key": "large"}, CopySourceRange="bytes=500-1500")
    s3.complete_multipart_upload(Bucket=container, Key="joined", UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]})
    assert demo.send("GET", f"/{container}/joined").body == data[500:1501]
    demo.send("DELETE", f"/{container}/seg/0")
    with refused("OperationAborted"):
        s3.get_object(Bucket=container, Key="large")


def test_s3_sees_what_a_dlo_stands_for(demo, s3, container, segments):
    demo.put(f"/{container}/large", b"the marker", X_Object_Manifest=f"{container}/seg/", X_Object_Meta_Color="blue")
    data, etag = b"".join(segments), f'"{slo_etag(*map(md5, segments))}-N"'
    head = s3.head_object(Bucket=container, Key="large")
    assert head["ContentLength"] == len(data) and head["ETag"] == etag and head["Metadata"] == {"color": "blue"}
    got = s3.get_object(Bucket=container, Key="large", IfMatch=etag)
    assert got["Body"].read() == data and got["ETag"] == etag
    part = s3.get_object(Bucket=container, Key="large", Range="bytes=990-1010")
    assert part["Body"].read() == data[990:1011] and part["ContentRange"] == f"bytes 990-1010/{len(data)}"
    assert s3.get_object_attributes(Bucket=container, Key="large", ObjectAttributes=["ObjectSize"])["ObjectSize"] == len(data)
    s3.copy_object(Bucket=container, Key="copy", CopySource={"Bucket": container, "Key": "large"})
    copy = demo.send("GET", f"/{container}/copy")
    assert copy.body == data and copy.headers["etag"] == md5(data) and "x-object-manifest" not in copy.headers
    # As in lists of Swift, the marker is what is listed.
    assert {o["Key"]: o["Size"] for o in s3.list_objects_v2(Bucket=container)["Contents"]}["large"] == len(b"the marker")
    demo.put(f"/{container}/seg/10", b"in between")
    assert s3.get_object(Bucket=container, Key="large")["Body"].read() == segments[0] + segments[1] + b"in between" + segments[2]
    demo.put(f"/{container}/empty", X_Object_Manifest="no-such-container/seg")
    assert s3.get_object(Bucket=container, Key="empty")["Body"].read() == b""
    s3.delete_object(Bucket=container, Key="large")
    assert demo.send("HEAD", f"/{container}/seg/0").status == 200


def test_s3_reads_a_dlo_with_rights_to_its_segments_only(demo, s3, container, segments):
    """A marker that everybody may read opens nothing else."""
    public = f"public-{uuid.uuid4().hex[:8]}"
    demo.put(f"/{public}")
    try:
        demo.put(f"/{public}/large", X_Object_Manifest=f"{container}/seg/")
        def allow(bucket, *actions):
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": "*", "Action": list(actions),
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}))

        def may():
            address = f"{s3.meta.endpoint_url}/{public}/large"
            return send("HEAD", address).status, send("GET", address).status

        allow(public, "s3:GetObject", "s3:ListBucket")
        assert may() == (403, 403)
        # What the segments are takes a look at the list, and their bytes the right to read them.
        allow(container, "s3:GetObject")
        assert may() == (403, 403)
        allow(container, "s3:ListBucket")
        assert may() == (200, 403)
        allow(container, "s3:GetObject", "s3:ListBucket")
        assert may() == (200, 200)
        assert send("GET", f"{s3.meta.endpoint_url}/{public}/large").body == b"".join(segments)
    finally:
        demo.empty(public)
        demo.send("DELETE", f"/{public}")


def test_multipart_upload_as_a_segment(demo, s3, container):
    parts = [pattern(5 << 20, 7), pattern(100, 8)]
    upload = s3.create_multipart_upload(Bucket=container, Key="multi")["UploadId"]
    tags = [s3.upload_part(Bucket=container, Key="multi", UploadId=upload, PartNumber=n, Body=data)["ETag"]
            for n, data in enumerate(parts, 1)]
    s3.complete_multipart_upload(Bucket=container, Key="multi", UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]})
    plain = demo.send("GET", f"/{container}/multi")
    assert plain.body == b"".join(parts) and "x-static-large-object" not in plain.headers
    assert put(demo, f"/{container}/large", [{"path": f"/{container}/multi", "range": "5242870-"}]).status == 201
    assert demo.send("GET", f"/{container}/large").body == b"".join(parts)[5242870:]


def test_containers_that_encrypt(demo, s3, container):
    """What S3 wants encrypted in a bucket is encrypted when Swift writes it: plain objects, manifests, copies."""
    s3.put_bucket_encryption(Bucket=container, ServerSideEncryptionConfiguration={
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]})
    parts = [pattern(1000, 1), pattern(2_500_000, 2)]
    for number, data in enumerate(parts):
        assert demo.put(f"/{container}/seg/{number}", data).headers["etag"] == md5(data)
    whole(demo, container, parts)
    assert demo.send("COPY", f"/{container}/large", {"Destination": f"/{container}/copy"}).status == 201
    for name in ("seg/0", "seg/1", "large", "copy"):
        assert s3.head_object(Bucket=container, Key=name)["ServerSideEncryption"] == "AES256", name
    data = b"".join(parts)
    for name in ("large", "copy"):
        assert demo.send("GET", f"/{container}/{name}").body == data
        assert demo.send("GET", f"/{container}/{name}", {"Range": "bytes=990-70000"}).body == data[990:70001]
        assert s3.get_object(Bucket=container, Key=name)["Body"].read() == data
    assert demo.send("GET", f"/{container}/seg/1").body == parts[1]


def test_segments_with_a_key_of_the_client(demo, s3, container):
    """Swift has no way to bring the key, so such objects cannot be read."""
    s3.put_object(Bucket=container, Key="locked", Body=b"x" * 100, SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
    assert put(demo, f"/{container}/large", [{"path": f"/{container}/locked"}]).status == 201
    assert demo.send("GET", f"/{container}/large").status == 400
    assert demo.send("GET", f"/{container}/locked").status == 400
