import io
import os
import urllib.error
import urllib.request

import pytest

from conftest import MIB, make_client, pattern, refused, wait_until

ACCESS, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]

SIGNATURES = {
    "v4": {},
    "v4 without checksums": {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"},
    "v4 signed payload": {"s3": {"addressing_style": "path", "payload_signing_enabled": True}},
    "v4 chunked": {"request_checksum_calculation": "when_supported"},
    "v2": {"signature_version": "s3", "request_checksum_calculation": "when_required"},
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_each_signature(bucket, name):
    client = make_client(config=SIGNATURES[name])
    data = pattern(2 * MIB + 3)
    key = "a b/ü+%/x"
    client.put_object(Bucket=bucket, Key=key, Body=io.BytesIO(data), Metadata={"k": "v  w"})
    got = client.get_object(Bucket=bucket, Key=key, ResponseContentType="text/x")
    assert got["Body"].read() == data
    assert got["ContentType"] == "text/x"
    assert [entry["Key"] for entry in client.list_objects(Bucket=bucket, Prefix="a b/")["Contents"]] == [key]
    client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert "Contents" not in client.list_objects(Bucket=bucket)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "anything-7"])
def test_any_region(bucket, region):
    import boto3
    client = boto3.client("s3", endpoint_url=os.environ["MARTLET_S3_ENDPOINT"], region_name=region)
    client.put_object(Bucket=bucket, Key="k", Body=b"x")


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned(bucket, version):
    client = make_client(config={"signature_version": version, "request_checksum_calculation": "when_required"})
    where = {"Bucket": bucket, "Key": "a b/ü"}
    put = client.generate_presigned_url("put_object", where, ExpiresIn=60)
    # urllib adds a type, which a signature of version 2 covers.
    upload = urllib.request.Request(put, data=b"hello", method="PUT", headers={"Content-Type": ""})
    assert urllib.request.urlopen(upload).status == 200
    get = client.generate_presigned_url("get_object", {**where, "ResponseContentType": "text/x"}, ExpiresIn=60)
    with urllib.request.urlopen(get) as response:
        assert response.read() == b"hello"
        assert response.headers["Content-Type"] == "text/x"
    delete = client.generate_presigned_url("delete_object", where, ExpiresIn=60)
    assert urllib.request.urlopen(urllib.request.Request(delete, method="DELETE")).status == 204


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_an_expired_or_changed_url(s3, bucket, version):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="secret", Body=b"x")
    client = make_client(config={"signature_version": version})
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=1)
    fresh = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    assert status_and_code(fresh.replace(f"{bucket}/k?", f"{bucket}/secret?")) == (403, "SignatureDoesNotMatch")
    assert urllib.request.urlopen(fresh).read() == b"x"
    wait_until("the URL's own time to pass", lambda: status_and_code(url) == (403, "AccessDenied"))


def status_and_code(url):
    try:
        return urllib.request.urlopen(url).status, None
    except urllib.error.HTTPError as error:
        body = error.read().decode()
        return error.code, body.split("<Code>")[1].split("</Code>")[0]


@pytest.mark.parametrize("name", SIGNATURES)
def test_wrong_secret_and_unknown_key(s3, bucket, name):
    wrong = make_client(secret="wrong" + SECRET[5:], config=SIGNATURES[name])
    with refused("SignatureDoesNotMatch", 403):
        wrong.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("SignatureDoesNotMatch", 403):
        wrong.list_objects(Bucket=bucket)
    unknown = make_client(access="AKIAUNKNOWNUNKNOWN00", config=SIGNATURES[name])
    with refused("InvalidAccessKeyId", 403):
        unknown.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_virtual_host_and_foreign_proxy_host(s3, bucket, server):
    """As s3cmd does: the gateway as HTTP proxy, so an absolute target with AWS's host names."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for host, path in ((f"{bucket}.s3.amazonaws.com", "/k"), ("s3.amazonaws.com", f"/{bucket}/k")):
        headers = server.signed_headers("GET", path, ACCESS, SECRET, host=host)
        for target in (f"http://{host}{path}", path):
            response = server.send("GET", target, headers)
            assert (response.status, response.body) == (200, b"x"), (host, target, response.body)
