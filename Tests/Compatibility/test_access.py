import pytest

from conftest import refused

BY_LIST = {
    # list of the bucket: (others read, others write, anonymous read, anonymous write)
    "private": (False, False, False, False),
    "public-read": (True, False, True, False),
    "public-read-write": (True, True, True, True),
    "authenticated-read": (True, False, False, False),
}


def allowed(action):
    try:
        action()
        return True
    except Exception as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error.response
        return False


@pytest.mark.parametrize("acl", BY_LIST)
def test_lists_of_buckets(s3, bucket, other, anonymous, acl):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_acl(Bucket=bucket, ACL=acl)
    expected = BY_LIST[acl]
    for client, reads, writes in ((other, *expected[:2]), (anonymous, *expected[2:])):
        assert allowed(lambda: client.get_object(Bucket=bucket, Key="k")) == reads
        assert allowed(lambda: client.head_object(Bucket=bucket, Key="k")) == reads
        assert allowed(lambda: client.list_objects_v2(Bucket=bucket)) == reads
        assert allowed(lambda: client.list_objects(Bucket=bucket)) == reads
        assert allowed(lambda: client.put_object(Bucket=bucket, Key="n", Body=b"y")) == writes
        assert allowed(lambda: client.delete_object(Bucket=bucket, Key="n")) == writes
        assert not allowed(lambda: client.get_bucket_acl(Bucket=bucket))
        assert not allowed(lambda: client.put_bucket_acl(Bucket=bucket, ACL="public-read-write"))
        assert not allowed(lambda: client.delete_bucket(Bucket=bucket))
        assert not allowed(lambda: client.get_bucket_policy(Bucket=bucket))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_lists_at_creation_and_by_body(s3, anonymous):
    import uuid
    name = f"acl-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, ACL="public-read")
    try:
        anonymous.list_objects_v2(Bucket=name)
        policy = s3.get_bucket_acl(Bucket=name)
        assert [grant["Permission"] for grant in policy["Grants"]] == ["FULL_CONTROL", "READ"]
        s3.put_bucket_acl(Bucket=name, AccessControlPolicy={"Owner": policy["Owner"], "Grants": policy["Grants"][:1]})
        with refused("AccessDenied", 403):
            anonymous.list_objects_v2(Bucket=name)
        foreign = {"Grantee": {"Type": "CanonicalUser", "ID": "somebody"}, "Permission": "READ"}
        with refused("NotImplemented", 501):
            s3.put_bucket_acl(
                Bucket=name, AccessControlPolicy={"Owner": policy["Owner"], "Grants": policy["Grants"] + [foreign]})
    finally:
        s3.delete_bucket(Bucket=name)


def test_lists_of_objects(s3, bucket, anonymous):
    s3.put_object(Bucket=bucket, Key="open", Body=b"x", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="closed", Body=b"x")
    assert anonymous.get_object(Bucket=bucket, Key="open")["Body"].read() == b"x"
    for key in ("closed", "missing"):
        with refused("AccessDenied", 403):
            anonymous.get_object(Bucket=bucket, Key=key)
    s3.put_object_acl(Bucket=bucket, Key="open", ACL="private")
    with refused("AccessDenied", 403):
        anonymous.get_object(Bucket=bucket, Key="open")
    grants = s3.get_object_acl(Bucket=bucket, Key="closed")["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL"]


def test_buckets_of_others(s3, bucket, other):
    assert bucket not in [entry["Name"] for entry in other.list_buckets()["Buckets"]]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("AccessDenied", 403):
        other.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})


def test_a_copy_needs_the_right_to_read_its_source(s3, bucket, other):
    import uuid
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    name = f"mine-{uuid.uuid4().hex[:12]}"
    other.create_bucket(Bucket=name)
    try:
        with refused("AccessDenied", 403):
            other.copy_object(Bucket=name, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
        upload = other.create_multipart_upload(Bucket=name, Key="m")["UploadId"]
        with refused("AccessDenied", 403):
            other.upload_part_copy(
                Bucket=name, Key="m", UploadId=upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "k"})
        other.abort_multipart_upload(Bucket=name, Key="m", UploadId=upload)
    finally:
        other.delete_bucket(Bucket=name)


def test_anonymous_has_no_buckets(anonymous):
    with refused("AccessDenied", 403):
        anonymous.list_buckets()
