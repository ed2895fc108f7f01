"""Access logs of buckets, delivered into buckets."""
import os
import re
import signal

import boto3
import botocore.config
import botocore.exceptions
import pytest
from conftest import wait_until
from test_swift_settings import Swift

CLUSTER_OPTIONS = ["--nodes", "1", "--replicas", "1", "--set", "gateway.bucket_log_interval=4s"]
FIELD = re.compile(r'\[[^]]*\]|"[^"]*"|\S+')
NAME = re.compile(r"log/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}")


def lines(s3, target):
    text = ""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=target, Prefix="log/"):
        for item in page.get("Contents", []):
            assert NAME.fullmatch(item["Key"])
            text += s3.get_object(Bucket=target, Key=item["Key"])["Body"].read().decode()
    return [FIELD.findall(line) for line in text.splitlines()]


def logged(s3, target, *wanted):
    """Lines by (operation, key, status), when all that are wanted have come."""
    def found():
        return {(line[6], line[7], line[9]): line for line in lines(s3, target)}
    wait_until(f"{wanted} in the log", lambda: set(wanted) <= set(found()), 30, 0.3)
    return found()


def pair(s3, name):
    for bucket in (name, name + "-logs"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={
        "LoggingEnabled": {"TargetBucket": name + "-logs", "TargetPrefix": "log/"}})
    return name, name + "-logs"


def test_every_request_has_its_line(cluster):
    s3 = cluster.s3()
    source, target = pair(s3, "source")
    body = b"x" * 1234
    identity = s3.put_object(Bucket=source, Key="a b/ü", Body=body)["ResponseMetadata"]["RequestId"]
    s3.get_object(Bucket=source, Key="a b/ü", Range="bytes=0-9")["Body"].read()
    with pytest.raises(botocore.exceptions.ClientError):
        s3.get_object(Bucket=source, Key="missing")
    s3.list_objects_v2(Bucket=source, Prefix="a")
    s3.delete_object(Bucket=source, Key="a b/ü")
    key = "a%20b/%C3%BC"
    found = logged(s3, target, ("REST.PUT.OBJECT", key, "200"), ("REST.GET.OBJECT", key, "206"),
                   ("REST.GET.OBJECT", "missing", "404"), ("REST.GET.BUCKET", "-", "200"),
                   ("REST.DELETE.OBJECT", key, "204"))
    put = found["REST.PUT.OBJECT", key, "200"]
    assert len(put) == 26
    owner, bucket, time, remote, requester, request = put[:6]
    assert bucket == source and owner == requester and remote == "127.0.0.1" and request == identity
    assert re.fullmatch(r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]", time)
    assert put[12] == "1234" and put[19] == "SigV4" and put[21] == "AuthHeader"
    get = found["REST.GET.OBJECT", key, "206"]
    assert get[10] == "-" and get[11] == "10" and get[12] == "1234"
    assert found["REST.GET.OBJECT", "missing", "404"][10] == "NoSuchKey"
    assert "prefix=a" in found["REST.GET.BUCKET", "-", "200"][8]


def test_nothing_that_proves_who_asks_is_logged(cluster):
    import urllib.request
    s3 = cluster.s3()
    source, target = pair(s3, "presigned")
    s3.put_object(Bucket=source, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": source, "Key": "k"})
    urllib.request.urlopen(url, timeout=120).read()
    line = logged(s3, target, ("REST.GET.OBJECT", "k", "200"))["REST.GET.OBJECT", "k", "200"]
    text = " ".join(line)
    assert "QueryString" in text
    for secret in re.findall(r"(?:Signature|Credential|AWSAccessKeyId)=([^&]+)", url):
        assert secret not in text


def test_a_client_cannot_forge_lines(cluster):
    import http.client
    s3 = cluster.s3()
    source, target = pair(s3, "forged")
    host = cluster.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=120)
    connection.request("GET", f"/{source}/k?x=%0Aforged%20%22line", headers={"User-Agent": 'a" 200 - "b'})
    assert connection.getresponse().status == 403
    line = logged(s3, target, ("REST.GET.OBJECT", "k", "403"))["REST.GET.OBJECT", "k", "403"]
    assert len(line) == 26 and line[4] == "-" and line[10] == "AccessDenied"


def test_what_waits_is_delivered_at_a_graceful_stop(cluster):
    s3 = cluster.s3()
    source, target = pair(s3, "stopped")
    s3.put_object(Bucket=source, Key="last", Body=b"x")
    (cluster.folder / "run" / "gateway.hold").touch()
    pid = cluster.pid("gateway")
    os.kill(pid, signal.SIGTERM)
    wait_until("the gateway to end", lambda: cluster.pid("gateway") != pid, 20)
    cluster.release("gateway")
    logged(s3, target, ("REST.PUT.OBJECT", "last", "200"))


def test_a_target_that_is_gone_holds_nobody_up(cluster):
    s3 = cluster.s3()
    source, target = pair(s3, "targetless")
    s3.delete_bucket(Bucket=target)
    s3.put_object(Bucket=source, Key="k", Body=b"x")
    wait_until("lost lines to be counted", lambda: cluster.metric("gateway", "martlet_bucket_log_lines_dropped_total") > 0, 20)
    assert s3.get_object(Bucket=source, Key="k")["Body"].read() == b"x"


def test_refused_requests_have_their_lines(cluster):
    """By a policy, by their signature, and for what they say of their body."""
    s3 = cluster.s3()
    source, target = pair(s3, "refused")
    s3.put_object(Bucket=source, Key="k", Body=b"x")
    good = cluster.env["AWS_SECRET_ACCESS_KEY"]
    stranger = cluster.adm("create-user", "logged-stranger")
    attempts = {"foreign": (stranger["access_key_id"], stranger["secret_access_key"]),
                "wrong": (cluster.env["AWS_ACCESS_KEY_ID"], good[:-1] + ("a" if good[-1] != "a" else "b")),
                "unknown": ("AKIAUNKNOWN", good)}
    codes = {}
    for key, (access, secret) in attempts.items():
        client = boto3.client("s3", endpoint_url=cluster.endpoint, aws_access_key_id=access,
                              aws_secret_access_key=secret, region_name="us-east-1",
                              config=botocore.config.Config(s3={"addressing_style": "path"}))
        with pytest.raises(botocore.exceptions.ClientError) as refusal:
            client.get_object(Bucket=source, Key=key)
        codes[key] = refusal.value.response["Error"]["Code"]
    assert codes == {"foreign": "AccessDenied", "wrong": "SignatureDoesNotMatch", "unknown": "InvalidAccessKeyId"}
    with pytest.raises(botocore.exceptions.ClientError):
        s3.put_object(Bucket=source, Key="digest", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    found = logged(s3, target, *[("REST.GET.OBJECT", key, "403") for key in codes], ("REST.PUT.OBJECT", "digest", "400"))
    for key, code in codes.items():
        line = found["REST.GET.OBJECT", key, "403"]
        assert line[10] == code and line[3] == "127.0.0.1" and line[21] == "AuthHeader" and len(line) == 26
    # Only who is proved is named.
    assert found["REST.GET.OBJECT", "foreign", "403"][4] == "logged-stranger"
    assert found["REST.GET.OBJECT", "wrong", "403"][4] == "-" == found["REST.GET.OBJECT", "unknown", "403"][4]
    assert found["REST.PUT.OBJECT", "digest", "400"][10] == "BadDigest"


def test_requests_of_the_swift_front_have_their_lines(cluster):
    swift = Swift(cluster)
    s3 = cluster.s3()
    assert swift.send("PUT", "/shared-box")[0] == 201
    assert "shared-box" in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    s3.create_bucket(Bucket="shared-box-logs")
    s3.put_bucket_logging(Bucket="shared-box", BucketLoggingStatus={
        "LoggingEnabled": {"TargetBucket": "shared-box-logs", "TargetPrefix": "log/"}})
    key = "a%20b/%C3%BC"
    wait_until("the gateway to log", lambda: swift.send("PUT", f"/shared-box/{key}", b"x" * 1234)[0] == 201)
    assert swift.send("GET", f"/shared-box/{key}", Range="bytes=0-9")[0] == 206
    assert swift.send("HEAD", f"/shared-box/{key}")[0] == 200
    assert swift.send("GET", "/shared-box/missing")[0] == 404
    assert swift.send("GET", "/shared-box?prefix=a")[0] == 200
    assert swift.send("GET", f"/shared-box/{key}", X_Auth_Token="nonsense")[0] == 401
    signed = "temp_url_sig=5eC5e7&temp_url_expires=4000000000"
    assert swift.send("GET", f"/shared-box/{key}?{signed}", X_Auth_Token="")[0] == 401
    assert swift.send("DELETE", f"/shared-box/{key}")[0] == 204
    found = logged(s3, "shared-box-logs", ("SWIFT.PUT.OBJECT", key, "201"), ("SWIFT.GET.OBJECT", key, "206"),
                   ("SWIFT.HEAD.OBJECT", key, "200"), ("SWIFT.GET.OBJECT", "missing", "404"),
                   ("SWIFT.GET.CONTAINER", "-", "200"), ("SWIFT.GET.OBJECT", key, "401"), ("SWIFT.DELETE.OBJECT", key, "204"))
    put = found["SWIFT.PUT.OBJECT", key, "201"]
    assert len(put) == 26 and put[0] == put[4] and put[1] == "shared-box" and put[3] == "127.0.0.1"
    assert put[5].startswith("tx") and put[12] == "1234" and put[21] == "AuthHeader"
    get = found["SWIFT.GET.OBJECT", key, "206"]
    assert get[11] == "10" and get[12] == "1234" and get[8].endswith(f'/shared-box/{key} HTTP/1.1"')
    assert "prefix=a" in found["SWIFT.GET.CONTAINER", "-", "200"][8]
    refused = [line for line in lines(s3, "shared-box-logs") if line[9] == "401"]
    assert {line[21] for line in refused} == {"AuthHeader", "QueryString"} and {line[4] for line in refused} == {"-"}
    assert not [line for line in refused if "5eC5e7" in " ".join(line)]

