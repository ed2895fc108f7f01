import contextlib
import json
import uuid

import pytest

from conftest import refused

EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"

BY_LIST = {
    # list of the bucket: (others list, others write, anonymous lists, anonymous writes)
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


@contextlib.contextmanager
def made_bucket(client, **options):
    name = f"access-{uuid.uuid4().hex[:16]}"
    client.create_bucket(Bucket=name, **options)
    try:
        yield name
    finally:
        for listed in client.list_objects_v2(Bucket=name).get("Contents", []):
            client.delete_object(Bucket=name, Key=listed["Key"])
        client.delete_bucket(Bucket=name)


@pytest.fixture
def user_id(s3):
    """Id of the user whom the tests are."""
    return s3.list_buckets()["Owner"]["ID"]


@pytest.fixture
def other_id(other):
    return other.list_buckets()["Owner"]["ID"]


@pytest.mark.parametrize("acl", BY_LIST)
def test_lists_of_buckets(s3, bucket, other, anonymous, acl):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="open", Body=b"x", ACL="public-read")
    s3.put_bucket_acl(Bucket=bucket, ACL=acl)
    expected = BY_LIST[acl]
    for client, lists, writes in ((other, *expected[:2]), (anonymous, *expected[2:])):
        assert not allowed(lambda: client.get_object(Bucket=bucket, Key="k"))
        assert not allowed(lambda: client.head_object(Bucket=bucket, Key="k"))
        assert allowed(lambda: client.get_object(Bucket=bucket, Key="open"))
        assert allowed(lambda: client.list_objects_v2(Bucket=bucket)) == lists
        assert allowed(lambda: client.list_objects(Bucket=bucket)) == lists
        assert allowed(lambda: client.head_bucket(Bucket=bucket)) == lists
        assert allowed(lambda: client.list_multipart_uploads(Bucket=bucket)) == lists
        assert allowed(lambda: client.put_object(Bucket=bucket, Key="n", Body=b"y")) == writes
        assert allowed(lambda: client.delete_object(Bucket=bucket, Key="n")) == writes
        assert not allowed(lambda: client.get_bucket_acl(Bucket=bucket))
        assert not allowed(lambda: client.put_bucket_acl(Bucket=bucket, ACL="public-read-write"))
        assert not allowed(lambda: client.delete_bucket(Bucket=bucket))
        assert not allowed(lambda: client.get_bucket_policy(Bucket=bucket))
        assert not allowed(lambda: client.get_bucket_location(Bucket=bucket))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_who_may_list_is_told_what_is_missing(s3, bucket, other, anonymous):
    for client in (other, anonymous):
        with refused("AccessDenied", 403):
            client.get_object(Bucket=bucket, Key="missing")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    for client in (other, anonymous):
        with refused("NoSuchKey", 404):
            client.get_object(Bucket=bucket, Key="missing")


def test_lists_at_creation_and_by_body(s3, anonymous):
    with made_bucket(s3, ACL="public-read") as name:
        anonymous.list_objects_v2(Bucket=name)
        policy = s3.get_bucket_acl(Bucket=name)
        assert [grant["Permission"] for grant in policy["Grants"]] == ["FULL_CONTROL", "READ"]
        s3.put_bucket_acl(Bucket=name, AccessControlPolicy={"Owner": policy["Owner"], "Grants": policy["Grants"][:1]})
        with refused("AccessDenied", 403):
            anonymous.list_objects_v2(Bucket=name)


# What each grant on a bucket lets another user do.
BUCKET_GRANTS = {
    "READ": {"list"}, "WRITE": {"put", "delete"}, "READ_ACP": {"get_acl"}, "WRITE_ACP": {"put_acl"},
    "FULL_CONTROL": {"list", "put", "delete", "get_acl", "put_acl"},
}


def bucket_actions(client, bucket, acl):
    return {
        "list": lambda: client.list_objects_v2(Bucket=bucket),
        "put": lambda: client.put_object(Bucket=bucket, Key="by-grant", Body=b"x"),
        "delete": lambda: client.delete_object(Bucket=bucket, Key="by-grant"),
        "get_acl": lambda: client.get_bucket_acl(Bucket=bucket),
        "put_acl": lambda: client.put_bucket_acl(Bucket=bucket, AccessControlPolicy=acl),
    }


@pytest.mark.parametrize("grantee", ["user", "authenticated", "everyone", "somebody-else"])
@pytest.mark.parametrize("permission", BUCKET_GRANTS)
def test_grants_on_buckets(s3, bucket, other, anonymous, other_id, user_id, permission, grantee):
    to = {
        "user": {"Type": "CanonicalUser", "ID": other_id}, "authenticated": {"Type": "Group", "URI": AUTHENTICATED},
        "everyone": {"Type": "Group", "URI": EVERYONE}, "somebody-else": {"Type": "CanonicalUser", "ID": user_id},
    }[grantee]
    acl = {"Owner": {"ID": user_id}, "Grants": [{"Grantee": to, "Permission": permission}]}
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=acl)
    shown = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert [(g["Grantee"].get("ID") or g["Grantee"]["URI"], g["Permission"]) for g in shown] == [
        (to.get("ID") or to["URI"], permission)]
    for client, holds in ((other, grantee != "somebody-else"), (anonymous, grantee == "everyone")):
        for name, action in bucket_actions(client, bucket, acl).items():
            assert allowed(action) == (holds and name in BUCKET_GRANTS[permission]), name


OBJECT_GRANTS = {
    "READ": {"get", "head"}, "READ_ACP": {"get_acl"}, "WRITE_ACP": {"put_acl"},
    "FULL_CONTROL": {"get", "head", "get_acl", "put_acl"},
}


@pytest.mark.parametrize("form", ["header", "body"])
@pytest.mark.parametrize("permission", OBJECT_GRANTS)
def test_grants_on_objects(s3, bucket, other, anonymous, other_id, user_id, permission, form):
    acl = {"Owner": {"ID": user_id}, "Grants": [
        {"Grantee": {"Type": "CanonicalUser", "ID": other_id}, "Permission": permission}]}
    if form == "header":
        name = {"READ": "GrantRead", "READ_ACP": "GrantReadACP", "WRITE_ACP": "GrantWriteACP",
                "FULL_CONTROL": "GrantFullControl"}[permission]
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **{name: f'id="{other_id}"'})
    else:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        s3.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=acl)
    for client, holds in ((other, True), (anonymous, False)):
        actions = {
            "get": lambda: client.get_object(Bucket=bucket, Key="k"),
            "head": lambda: client.head_object(Bucket=bucket, Key="k"),
            "get_acl": lambda: client.get_object_acl(Bucket=bucket, Key="k"),
            "put_acl": lambda: client.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=acl),
            "delete": lambda: client.delete_object(Bucket=bucket, Key="k"),
        }
        for name, action in actions.items():
            assert allowed(action) == (holds and name in OBJECT_GRANTS[permission]), name


def test_lists_that_are_wrong(s3, bucket, user_id, other_id):
    def put(grantee, permission="READ", owner=user_id):
        s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={
            "Owner": {"ID": owner}, "Grants": [{"Grantee": grantee, "Permission": permission}]})
    with refused("InvalidArgument", 400):
        put({"Type": "CanonicalUser", "ID": "nobody-by-this-name"})
    with refused("InvalidArgument", 400):
        put({"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/Nobody"})
    with refused("UnresolvableGrantByEmailAddress", 400):
        put({"Type": "AmazonCustomerByEmail", "EmailAddress": "a@example.org"})
    with refused("MalformedACLError", 400):
        put({"Type": "CanonicalUser", "ID": other_id}, permission="EVERYTHING")
    with refused("AccessDenied", 403):
        put({"Type": "CanonicalUser", "ID": other_id}, owner=other_id)
    with refused("InvalidRequest", 400):
        s3.put_bucket_acl(Bucket=bucket, ACL="private", GrantRead=f"id={other_id}")
    with refused("InvalidArgument", 400):
        s3.put_object(Bucket=bucket, Key="k", ACL="log-delivery-write")
    s3.put_bucket_acl(Bucket=bucket, ACL="log-delivery-write")
    assert [g["Grantee"].get("URI") for g in s3.get_bucket_acl(Bucket=bucket)["Grants"]] == [
        None, LOG_DELIVERY, LOG_DELIVERY]


@pytest.mark.parametrize("acl, permissions", [
    ("bucket-owner-full-control", {"FULL_CONTROL"}), ("bucket-owner-read", {"READ"}), ("private", set())])
def test_what_others_write_is_theirs(s3, bucket, other, other_id, user_id, acl, permissions):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    other.put_object(Bucket=bucket, Key="k", Body=b"x", ACL=acl)
    shown = other.get_object_acl(Bucket=bucket, Key="k")
    assert shown["Owner"]["ID"] == other_id
    assert {g["Permission"] for g in shown["Grants"] if g["Grantee"]["ID"] == user_id} == permissions
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_multipart_uploads_keep_their_list(s3, bucket, anonymous, other, other_id):
    for options, reader in (({"ACL": "public-read"}, anonymous), ({"GrantRead": f"id={other_id}"}, other)):
        upload = s3.create_multipart_upload(Bucket=bucket, Key="m", **options)["UploadId"]
        part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"part")
        s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        assert reader.get_object(Bucket=bucket, Key="m")["Body"].read() == b"part"


def test_a_copy_has_its_own_list(s3, bucket, anonymous):
    s3.put_object(Bucket=bucket, Key="open", Body=b"x", ACL="public-read")
    s3.copy_object(Bucket=bucket, Key="closed", CopySource={"Bucket": bucket, "Key": "open"})
    s3.copy_object(Bucket=bucket, Key="again", CopySource={"Bucket": bucket, "Key": "closed"}, ACL="public-read")
    with refused("AccessDenied", 403):
        anonymous.get_object(Bucket=bucket, Key="closed")
    anonymous.get_object(Bucket=bucket, Key="again")


# Ownership controls

def ownership(value):
    return {"Rules": [{"ObjectOwnership": value}]}


def test_ownership_controls(s3, bucket):
    with refused("OwnershipControlsNotFoundError", 404):
        s3.get_bucket_ownership_controls(Bucket=bucket)
    for value in ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"):
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership(value))
        assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == ownership(value)
    with refused("MalformedXML", 400):
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership("Nobody"))
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    with refused("OwnershipControlsNotFoundError", 404):
        s3.get_bucket_ownership_controls(Bucket=bucket)


def test_enforced_ownership_turns_lists_off(s3, other, anonymous, user_id, other_id):
    with made_bucket(s3, ObjectOwnership="BucketOwnerEnforced") as bucket:
        s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:PutObject", {"AWS": other_id}))
        with refused("AccessControlListNotSupported", 400):
            s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
        with refused("AccessControlListNotSupported", 400):
            s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
        with refused("AccessControlListNotSupported", 400):
            s3.create_multipart_upload(Bucket=bucket, Key="k", ACL="public-read")
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="bucket-owner-full-control")
        with refused("AccessControlListNotSupported", 400):
            s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
        other.put_object(Bucket=bucket, Key="theirs", Body=b"x")
        assert s3.get_object_acl(Bucket=bucket, Key="theirs")["Owner"]["ID"] == user_id
        with refused("AccessDenied", 403):
            other.get_object(Bucket=bucket, Key="theirs")
        assert [g["Permission"] for g in s3.get_bucket_acl(Bucket=bucket)["Grants"]] == ["FULL_CONTROL"]


def test_enforced_ownership_needs_a_private_list(s3, bucket):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    with refused("InvalidBucketAclWithObjectOwnership", 400):
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership("BucketOwnerEnforced"))
    with refused("InvalidBucketAclWithObjectOwnership", 400):
        s3.create_bucket(
            Bucket=f"access-{uuid.uuid4().hex[:16]}", ObjectOwnership="BucketOwnerEnforced", ACL="public-read")


def test_preferred_ownership(s3, other, user_id, other_id):
    with made_bucket(s3, ObjectOwnership="BucketOwnerPreferred", ACL="public-read-write") as bucket:
        other.put_object(Bucket=bucket, Key="given", Body=b"x", ACL="bucket-owner-full-control")
        other.put_object(Bucket=bucket, Key="kept", Body=b"x")
        assert s3.get_object_acl(Bucket=bucket, Key="given")["Owner"]["ID"] == user_id
        assert s3.get_object_acl(Bucket=bucket, Key="kept")["Owner"]["ID"] == other_id


# Public access block

BLOCKS = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]


def block(*names):
    return {name: name in names for name in BLOCKS}


def allow(bucket, action, principal="*", **condition):
    statement = {
        "Effect": "Allow", "Principal": principal, "Action": action,
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_public_access_block_as_a_document(s3, bucket):
    with refused("NoSuchPublicAccessBlockConfiguration", 404):
        s3.get_public_access_block(Bucket=bucket)
    for name in BLOCKS:
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={name: True})
        assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block(name)
    s3.delete_public_access_block(Bucket=bucket)
    with refused("NoSuchPublicAccessBlockConfiguration", 404):
        s3.get_public_access_block(Bucket=bucket)


def test_blocked_public_lists(s3, bucket, other_id):
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block("BlockPublicAcls"))
    for acl in ("public-read", "public-read-write", "authenticated-read"):
        with refused("AccessDenied", 403):
            s3.put_bucket_acl(Bucket=bucket, ACL=acl)
        with refused("AccessDenied", 403):
            s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL=acl)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", GrantRead=f"id={other_id}")
    with refused("AccessDenied", 403):
        s3.put_object_acl(Bucket=bucket, Key="k", GrantRead=f"uri={EVERYONE}")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:GetObject"))


def test_ignored_public_lists(s3, bucket, anonymous, other, other_id):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="named", Body=b"x", GrantRead=f"id={other_id}")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block("IgnorePublicAcls"))
    for client in (anonymous, other):
        assert not allowed(lambda: client.list_objects_v2(Bucket=bucket))
        assert not allowed(lambda: client.get_object(Bucket=bucket, Key="k"))
    assert allowed(lambda: other.get_object(Bucket=bucket, Key="named"))


def test_blocked_and_restricted_public_policies(s3, bucket, anonymous, other, other_id):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block("BlockPublicPolicy"))
    with refused("AccessDenied", 403):
        s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:GetObject"))
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:GetObject", {"AWS": other_id}))
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block("RestrictPublicBuckets"))
    assert allowed(lambda: other.get_object(Bucket=bucket, Key="k"))
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:GetObject"))
    assert not allowed(lambda: other.get_object(Bucket=bucket, Key="k"))
    assert not allowed(lambda: anonymous.get_object(Bucket=bucket, Key="k"))
    s3.delete_public_access_block(Bucket=bucket)
    assert allowed(lambda: anonymous.get_object(Bucket=bucket, Key="k"))


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
