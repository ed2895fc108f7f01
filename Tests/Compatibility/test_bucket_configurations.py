"""Tags, request payment, accelerate and logging of buckets."""
import contextlib
import os
import uuid

import pytest

import signing
from conftest import refused


def test_tags(s3, bucket):
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)
    tags = [{"Key": "colour", "Value": "red"}, {"Key": "Größe +-=._:/@", "Value": ""}]
    answer = s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)


@pytest.mark.parametrize("tags", [
    [("a", "1"), ("a", "2")], [("aws:x", "1")], [("k" * 129, "1")], [("k", "v" * 257)],
    [(f"k{n}", "v") for n in range(51)], [("k<", "v")], [("k", "v|")]], ids=lambda tags: repr(tags)[:40])
def test_tags_that_are_wrong(s3, bucket, tags):
    with refused("InvalidTag", 400):
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in tags]})


def test_request_payment(s3, bucket, other, anonymous):
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
    for client in (other, anonymous):
        with refused("AccessDenied", 403):
            client.get_object(Bucket=bucket, Key="k")
    assert other.get_object(Bucket=bucket, Key="k", RequestPayer="requester")["Body"].read() == b"x"
    with refused("AccessDenied", 403):
        anonymous.get_object(Bucket=bucket, Key="k", RequestPayer="requester")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "BucketOwner"})
    anonymous.get_object(Bucket=bucket, Key="k")
    with refused("MalformedXML", 400):
        s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Nobody"})


def test_accelerate(s3, bucket):
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": status})
        assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == status
    with refused("MalformedXML", 400):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Fast"})
    dotted = f"dotted.{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=dotted)
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(s3.delete_bucket, Bucket=dotted)
        with refused("InvalidRequest", 400):
            s3.put_bucket_accelerate_configuration(Bucket=dotted, AccelerateConfiguration={"Status": "Enabled"})


def enable_logging(s3, bucket, target, prefix="log/"):
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={
        "LoggingEnabled": {"TargetBucket": target, "TargetPrefix": prefix}})


def test_logging_is_read_back_and_taken_away(s3, bucket):
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    enable_logging(s3, bucket, bucket)
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == {"TargetBucket": bucket, "TargetPrefix": "log/"}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)


def test_logging_needs_a_target_of_the_same_owner(s3, other, bucket):
    with refused("InvalidTargetBucketForLogging", 400):
        enable_logging(s3, bucket, "no-such-bucket-" + uuid.uuid4().hex[:8])
    foreign = f"foreign-{uuid.uuid4().hex[:12]}"
    other.create_bucket(Bucket=foreign)
    with refused("InvalidTargetBucketForLogging", 400):
        enable_logging(s3, bucket, foreign)
    other.delete_bucket(Bucket=foreign)


def test_log_grants_and_partitioned_names_are_refused(s3, bucket):
    for more in [
            {"TargetGrants": [{"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"},
                               "Permission": "READ"}]},
            {"TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}}]:
        with refused("NotImplemented", 501):
            s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={
                "LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": "log/", **more}})


def test_configurations_of_a_deleted_bucket_are_gone(s3):
    name = f"again-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    try:
        with refused("NoSuchTagSet", 404):
            s3.get_bucket_tagging(Bucket=name)
    finally:
        s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("method, target", [
    ("POST", "/k?restore"), ("POST", "/k?select&select-type=2"), ("GET", "/k?torrent"), ("PUT", "/k?renameObject"), ("PUT", "/k?encryption"),
    ("GET", "?session"), ("PUT", "?replication"), ("PUT", "?analytics&id=1"), ("PUT", "?inventory&id=1"), ("PUT", "?metrics&id=1"),
    ("PUT", "?intelligent-tiering&id=1"), ("POST", "?metadataTable"), ("POST", "?metadataConfiguration"), ("PUT", "?abac")])
def test_operations_that_are_not_there_say_so(s3, bucket, server, method, target):
    """With a good signature, so that it is not the signature that is refused."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    path, _, query = f"/{bucket}{target}".partition("?")
    signed = "&".join(part if "=" in part else part + "=" for part in query.split("&"))
    signer = signing.Signer(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    headers = signer.headers(method, path, server.authority, signing.EMPTY, signed)
    answer = server.send(method, f"{path}?{query}", headers | {"Content-Length": "0"})
    assert (answer.status, answer.code) == (501, "NotImplemented"), answer.body
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
