"""The right error for requests that no client library sends, and nothing stored."""
import base64
import hashlib
import os

import pytest

from conftest import refused

ACCESS, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


@pytest.fixture
def signed(server):
    def send(method, path, body=b"", headers=(), sent=None, length=None, payload=None):
        """`sent`: the bytes that really go out; `length`: what Content-Length says."""
        fields = server.signed_headers(method, path, ACCESS, SECRET, headers, body, payload)
        fields["Content-Length"] = str(len(body) if length is None else length)
        return server.send(method, path, fields, body if sent is None else sent)
    return send


@pytest.fixture
def nothing_stored(s3, bucket):
    yield
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_truncated_body(signed, bucket, nothing_stored):
    response = signed("PUT", f"/{bucket}/k", body=b"x" * 1000, sent=b"x" * 500)
    assert response is None or (response.status, response.code) == (400, "IncompleteBody")


def test_body_that_is_not_the_signed_one(signed, bucket, nothing_stored):
    response = signed("PUT", f"/{bucket}/k", body=b"right", sent=b"wrong")
    assert (response.status, response.code) == (400, "XAmzContentSHA256Mismatch")


def test_wrong_and_invalid_md5(signed, bucket, nothing_stored):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    response = signed("PUT", f"/{bucket}/k", body=b"x", headers={"Content-MD5": wrong})
    assert (response.status, response.code) == (400, "BadDigest")
    response = signed("PUT", f"/{bucket}/k", body=b"x", headers={"Content-MD5": "!!"})
    assert (response.status, response.code) == (400, "InvalidDigest")


def test_no_length(server, bucket, nothing_stored):
    path = f"/{bucket}/k"
    headers = server.signed_headers("PUT", path, ACCESS, SECRET, payload="UNSIGNED-PAYLOAD")
    response = server.send("PUT", path, headers)
    assert (response.status, response.code) == (411, "MissingContentLength")


def test_too_large(signed, bucket, nothing_stored):
    response = signed("PUT", f"/{bucket}/k", payload="UNSIGNED-PAYLOAD", length=6 << 30)
    assert (response.status, response.code) == (400, "EntityTooLarge")


@pytest.mark.parametrize("body", [
    b"", b"no xml", b"<Delete>", b"<Other/>", b"<Delete></Delete>", b"<!DOCTYPE a [<!ENTITY x 'y'>]><Delete/>",
    b"<Delete>" + b"<a>" * 100 + b"</a>" * 100 + b"</Delete>", b"\xff\xfe<\x00"])
def test_bad_xml(signed, bucket, body):
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    response = signed("POST", f"/{bucket}?delete", body=body, headers={"Content-MD5": digest})
    assert response.status == 400
    assert response.code in ("MalformedXML", "MissingRequestBodyError")


def test_deletion_without_a_checksum(s3, signed, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    response = signed("POST", f"/{bucket}?delete", body=b"<Delete><Object><Key>k</Key></Object></Delete>")
    assert (response.status, response.code) == (400, "InvalidRequest")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_oversize_header(server, bucket, nothing_stored):
    path = f"/{bucket}/k"
    headers = server.signed_headers("PUT", path, ACCESS, SECRET, body=b"")
    headers["x-amz-meta-big"] = "x" * (128 << 10)
    response = server.send("PUT", path, headers)
    assert response is None or response.status in (400, 431), response.status


def test_changed_after_signing(server, bucket, nothing_stored):
    path = f"/{bucket}/k"
    good = server.signed_headers("PUT", path, ACCESS, SECRET, headers={"x-amz-meta-a": "1"}, body=b"x")
    good["Content-Length"] = "1"
    for method, target, changes in (
        ("PUT", f"/{bucket}/other", {}), ("PUT", path, {"x-amz-meta-a": "2"}), ("PUT", path + "?acl", {}),
        ("PUT", path, {"Host": "elsewhere.example"}),
    ):
        response = server.send(method, target, {**good, **changes}, b"x")
        assert (response.status, response.code) == (403, "SignatureDoesNotMatch"), (method, target, changes)


@pytest.mark.parametrize("header, code", [
    ("AWS4-HMAC-SHA256 nonsense", "AuthorizationHeaderMalformed"), ("Basic abc", "InvalidArgument"),
    ("AWS nonsense", "InvalidArgument")])
def test_malformed_authorization(server, bucket, header, code):
    response = server.send("GET", f"/{bucket}", {"Authorization": header, "x-amz-date": "20200101T000000Z"})
    assert (response.status, response.code) == (400, code)


def test_old_date(server, bucket, monkeypatch):
    import botocore.auth
    import datetime
    old = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: old, raising=False)
    headers = server.signed_headers("GET", f"/{bucket}", ACCESS, SECRET)
    if not headers.get("X-Amz-Date", "").startswith("2020"):
        pytest.skip("this botocore takes the time from elsewhere")
    response = server.send("GET", f"/{bucket}", headers)
    assert (response.status, response.code) == (403, "RequestTimeTooSkewed")


def test_not_http(server):
    response = server.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200)
    assert response is None or 400 <= response.status < 500


def test_errors_carry_the_request_id(server, bucket):
    response = server.send("GET", f"/{bucket}/none")
    assert response.status == 403
    identifier = response.headers["x-amz-request-id"]
    assert identifier and f"<RequestId>{identifier}</RequestId>".encode() in response.body
    assert f"<Resource>/{bucket}/none</Resource>".encode() in response.body


def test_unsupported_requests_store_nothing(s3, bucket, nothing_stored):
    with refused("InvalidArgument", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms:dsse")
    with refused("NotImplemented", 501):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", WriteOffsetBytes=1)
