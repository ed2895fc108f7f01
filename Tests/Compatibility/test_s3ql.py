"""What S3QL 6 sends, request by request, as it was recorded, by each of its schemes; and that what it needs comes back, with
spoilt connections and tokens that end in between. S3QL itself is in no registry that could be reached."""
import base64
import http.client
import os
import threading
import urllib.parse
import uuid

import pytest

import s3ql
from conftest import pattern
from swiftapi import BASE, new_account, send

METADATA = {
    "000": "'format_version': 2,", "001": "'compression': 'LZMA',", "002": "'encryption': 'AES_v2',",
    "003": "'data': b'" + base64.b64encode(pattern(160)).decode() + "',", "004": "'a=b+c/d': ', ,',",
    "005": "'nonce': b'" + base64.b64encode(pattern(24)).decode() + "', " + "x" * 200, "006": "'object_id': 's3ql_data_1', \"q\": '%41 \\\\ ;'",
    "format": "raw2", "md5": base64.b64encode(pattern(16)).decode(),
}


def store_of(scheme, account, container, swift=None, endpoint=None):
    if scheme.startswith("swift"):
        return s3ql.Swift(scheme, account, container, swift)
    return s3ql.S3(scheme, container, endpoint or os.environ["MARTLET_S3_ENDPOINT"])


@pytest.fixture(params=s3ql.SCHEMES)
def store(request, demo, container):
    made = store_of(request.param, demo, container)
    yield made
    made.close()


def test_dialogue(store, container):
    """All request shapes on one connection."""
    if isinstance(store, s3ql.Swift):
        info = store.features()
        assert info["swift"]["max_meta_value_length"] >= 256
        assert 0 < info["bulk_delete"]["max_failed_deletes"] <= info["bulk_delete"]["max_deletes_per_request"]
    assert store.probe().status in (200, 204)
    store.connection.sock.settimeout(20)
    first = store.connection.sock
    for method in ("HEAD", "GET"):
        assert store.read(method, "s3ql_data_1") is None
    data = pattern(200_000)
    store.put("s3ql_data_1", data, METADATA)
    for method in ("HEAD", "GET"):
        answer, metadata = store.read(method, "s3ql_data_1")
        assert answer.headers["Content-Length"] == str(len(data)) and metadata == METADATA
        assert answer.body == (data if method == "GET" else b"")
    store.put("s3ql_params", b"", METADATA)
    assert store.read("GET", "s3ql_params")[0].body == b""
    assert store.list() == ["s3ql_data_1", "s3ql_params"] and store.list("s3ql_data_") == ["s3ql_data_1"]
    assert store.delete("s3ql_data_1") and store.read("HEAD", "s3ql_data_1") is None
    store.delete("s3ql_data_1")
    assert store.delete_many(["s3ql_params", "nothing"]) == [] and store.list() == []
    # One connection for everything.
    assert store.connection.sock is first and store.tries == 0


def test_a_missing_container(store):
    name = f"missing-{uuid.uuid4().hex}"
    store.container, store.root = name, store.root.rsplit("/", 1)[0] + "/" + name
    answer = store.probe()
    assert answer.status == 404 and (isinstance(store, s3ql.Swift) or b"<Code>NoSuchBucket</Code>" in answer.body)


def test_pages(store):
    names = [f"s3ql_data_{i}" for i in range(25)] + [f"s3ql_metadata_{i:012x}_{7:010x}" for i in range(3)]
    for name in names:
        store.put(name, b"x", METADATA)
    assert store.list("s3ql_data_", page=10) == sorted(names[:25]) and store.list(page=7) == sorted(names)
    assert store.delete_many(names[:25]) == [] and store.list() == sorted(names[25:])


@pytest.mark.parametrize("fault", ["503", "drop", "half", "deaf"])
def test_spoilt_connections(request, demo, container, store, fault):
    """Each operation is repeated after the fault, and has happened once."""
    swift, s3 = s3ql.Spoiler(BASE), s3ql.Spoiler(os.environ["MARTLET_S3_ENDPOINT"])
    scheme = request.node.callspec.params["store"]
    spoilt = store_of(scheme, demo, container, swift.url, s3.url)
    proxy = swift if scheme.startswith("swift") else s3
    data = pattern(300_000)

    def spoil(times=3):
        spoilt.close()
        proxy.faults = [fault] * times

    try:
        spoil()
        spoilt.put("s3ql_data_1", data, METADATA)
        assert spoilt.tries == 3
        if fault == "half":
            # The faults of the others are about a body that there is.
            assert store.read("GET", "s3ql_data_1")[0].body == data
            return
        for operation, expected in [
                (lambda: spoilt.read("GET", "s3ql_data_1")[0].body, data), (lambda: spoilt.read("HEAD", "s3ql_data_1")[1], METADATA),
                (lambda: spoilt.list(), ["s3ql_data_1"]), (lambda: spoilt.probe().status, 200),
                (lambda: spoilt.delete_many(["s3ql_data_1"]) if scheme != "s3c" else [], [])]:
            spoil()
            assert operation() == expected
        spoil()
        spoilt.delete("s3ql_data_1")
        assert store.read("HEAD", "s3ql_data_1") is None and store.list() == []
    finally:
        swift.close()
        s3.close()


@pytest.mark.parametrize("scheme", s3ql.SCHEMES[:3])
def test_tokens_that_end(scheme):
    """In the middle of everything: a new login, and the same request again."""
    account = new_account("s3ql")
    account.put("/pool")
    store = s3ql.Swift(scheme, account, "pool")

    def end():
        gone = send("DELETE", "/v3/auth/tokens", {"X-Auth-Token": store.token, "X-Subject-Token": store.token})
        assert gone.status == 204
        assert send("HEAD", account.url, {"X-Auth-Token": store.token}).status == 401

    end()
    store.put("a", b"content", METADATA)
    assert store.tries == 1
    for operation, expected in [(lambda: store.read("GET", "a")[0].body, b"content"), (lambda: store.list(), ["a"]),
                                (lambda: store.probe().status, 200), (lambda: store.delete_many(["a"]), [])]:
        end()
        assert operation() == expected and store.tries <= 1
    assert account.send("DELETE", "/pool").status == 204


def test_dropped_connections(store):
    """In the middle of a body, again and again: what was there stays, and the next connection works."""
    store.put("o", b"before", METADATA)
    for _ in range(5):
        connection = http.client.HTTPConnection(store.address.hostname, store.address.port, timeout=60)
        target = store.root + store.key("o")
        connection.putrequest("PUT", target, skip_host=True, skip_accept_encoding=True)
        for name, value in store.signed("PUT", target, {"Content-Length": "100000"}, b"").items():
            connection.putheader(name, value)
        connection.endheaders(b"x" * 50_000)
        connection.close()
    answer, metadata = store.read("GET", "o")
    assert answer.body == b"before" and metadata == METADATA


def test_many_connections(demo, container, request):
    """As many as S3QL opens."""
    faults = []

    def work(number):
        try:
            store = store_of(s3ql.SCHEMES[number % 5], demo, container)
            for turn in range(5):
                data, name = pattern(20_000, seed=number * 10 + turn), f"s3ql_data_{number}_{turn}"
                store.put(name, data, METADATA)
                assert store.read("GET", name)[0].body == data and store.tries == 0
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert demo.send("HEAD", f"/{container}").headers["x-container-object-count"] == "160"


def test_what_one_scheme_wrote_another_reads(demo, container):
    """A file system can move from one scheme to another."""
    stores = [store_of(scheme, demo, container) for scheme in s3ql.SCHEMES]
    for writer in stores:
        data = pattern(50_000, seed=len(writer.__class__.__name__))
        writer.put("s3ql_data_1", data, METADATA)
        for reader in stores:
            answer, metadata = reader.read("GET", "s3ql_data_1")
            assert answer.body == data and metadata == METADATA


@pytest.mark.parametrize("scheme,code", [("s3c", b"SignatureDoesNotMatch"), ("s3c4", b"SignatureDoesNotMatch")])
def test_bad_keys(demo, container, scheme, code):
    store = store_of(scheme, demo, container)
    store.secret = "wrong"
    answer = store.probe()
    assert answer.status == 403 and code in answer.body
    store.access = "nobody-at-all"
    assert b"InvalidAccessKeyId" in store.probe().body


def test_an_old_token_ends_a_wait_for_the_continuation(demo, container):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(BASE).netloc, timeout=60)
    connection.putrequest("PUT", f"{demo.path}/{container}/o")
    for name, value in (("X-Auth-Token", "x" * 180), ("Content-Length", "5"), ("Expect", "100-continue")):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 401 and demo.send("HEAD", f"/{container}/o").status == 404
