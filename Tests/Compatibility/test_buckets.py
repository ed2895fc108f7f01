import uuid

import pytest

from conftest import refused


def test_life_of_a_bucket(s3):
    name = f"life-{uuid.uuid4().hex[:12]}"
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    listed = s3.list_buckets()
    assert name in [entry["Name"] for entry in listed["Buckets"]]
    assert listed["Owner"]["ID"]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert s3.delete_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("404", 404):
        s3.head_bucket(Bucket=name)
    with refused("NoSuchBucket", 404):
        s3.delete_bucket(Bucket=name)


def test_location_is_kept(s3):
    name = f"eu-{uuid.uuid4().hex[:12]}"
    where = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    s3.delete_bucket(Bucket=name)


def test_creating_again(s3, bucket, other):
    s3.create_bucket(Bucket=bucket)
    with refused("BucketAlreadyExists", 409):
        other.create_bucket(Bucket=bucket)


@pytest.mark.parametrize("name", ["Upper-Case", "under_score", "192.168.1.1", "a", "dots..dots"])
def test_bad_names(s3, name, server):
    """Past the client's own check."""
    import os
    headers = server.signed_headers("PUT", f"/{name}", os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    response = server.send("PUT", f"/{name}", headers)
    assert (response.status, response.code) == (400, "InvalidBucketName")


def test_a_bucket_with_objects_stays(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
    s3.put_object(Bucket=bucket, Key="b", Body=b"y")


def test_a_name_used_again_is_empty(s3):
    name = f"again-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    assert "Contents" not in s3.list_objects_v2(Bucket=name)
    with refused("NoSuchKey"):
        s3.get_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)


PROBES = [
    ("get_bucket_policy", "NoSuchBucketPolicy"),
    ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
    ("get_bucket_cors", "NoSuchCORSConfiguration"),
    ("get_bucket_tagging", "NoSuchTagSet"),
    ("get_bucket_website", "NoSuchWebsiteConfiguration"),
    ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
    ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
    ("get_bucket_ownership_controls", "OwnershipControlsNotFoundError"),
]


@pytest.mark.parametrize("method, code", PROBES)
def test_probes_find_no_configuration(s3, bucket, method, code):
    with refused(code, 404):
        getattr(s3, method)(Bucket=bucket)


def test_probes_with_empty_answers(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "TopicConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)


@pytest.mark.parametrize("kind", ["analytics", "inventory", "metrics", "intelligent_tiering"])
def test_lists_of_configurations_are_empty_and_none_is_found(s3, bucket, kind):
    listed = getattr(s3, f"list_bucket_{kind}_configurations")(Bucket=bucket)
    assert listed["IsTruncated"] is False and not [name for name in listed if name.endswith("List")]
    with refused("NoSuchConfiguration", 404):
        getattr(s3, f"get_bucket_{kind}_configuration")(Bucket=bucket, Id="x")
    with refused("NoSuchBucket", 404):
        getattr(s3, f"list_bucket_{kind}_configurations")(Bucket="no-such-bucket-anywhere")


UNSUPPORTED = [
    ("put_bucket_analytics_configuration", {"Id": "a", "AnalyticsConfiguration": {"Id": "a", "StorageClassAnalysis": {}}}),
    ("put_bucket_replication", {"ReplicationConfiguration": {"Role": "r", "Rules": []}}),
    ("put_bucket_metrics_configuration", {"Id": "a", "MetricsConfiguration": {"Id": "a"}}),
]


@pytest.mark.parametrize("method, arguments", UNSUPPORTED)
def test_what_is_not_implemented_says_so(s3, bucket, method, arguments):
    with refused("NotImplemented", 501):
        getattr(s3, method)(Bucket=bucket, **arguments)


def test_an_unknown_sub_resource_is_no_plain_get(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    with refused("NotImplemented", 501):
        s3.get_object_torrent(Bucket=bucket, Key="a")
    with refused("NotImplemented", 501):
        s3.restore_object(Bucket=bucket, Key="a", RestoreRequest={"Days": 1})
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
