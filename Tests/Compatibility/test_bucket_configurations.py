"""Tags, request payment, accelerate, logging and notifications of buckets."""
import contextlib
import uuid

import pytest

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


def test_logging_is_not_promised(s3, bucket):
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    with refused("NotImplemented", 501):
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={
            "LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": "log/"}})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)


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
