"""Bucket policies: form, who, what, under which conditions."""
import json

import pytest

from conftest import refused
from test_access import allowed, allow, other_id, user_id  # noqa: F401
from test_post_object import later, post, signed as signed_form


def policy(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)})


def statement(bucket, action, effect="Allow", principal="*", resource=None, **condition):
    made = {
        "Effect": effect, "Principal": principal, "Action": action,
        "Resource": resource or [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    if condition:
        made["Condition"] = condition
    return made


def test_a_policy_is_read_back_as_it_was_put(s3, bucket):
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=bucket)
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy_status(Bucket=bucket)
    text = allow(bucket, "s3:GetObject")
    answer = s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=bucket)


@pytest.mark.parametrize("change", [
    {"Effect": "Maybe"}, {"Effect": None}, {"Action": "s3:Fly"}, {"Action": None}, {"Action": []},
    {"Resource": "arn:aws:s3:::another-bucket/*"}, {"Resource": None}, {"Principal": None},
    {"Principal": {"AWS": "nobody-by-this-name"}}, {"Principal": "somebody"}, {"Extra": 1},
    {"Condition": {"NoSuchOperator": {"aws:username": "a"}}}, {"Condition": {"StringEquals": {"s3:nothing": "a"}}},
    {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::BUCKET/*"},
], ids=lambda change: json.dumps(change)[:60])
def test_what_is_no_policy(s3, bucket, change):
    made = statement(bucket, "s3:GetObject")
    for name, value in change.items():
        value = value.replace("BUCKET", bucket) if isinstance(value, str) else value
        if value is None:
            del made[name]
        else:
            made[name] = value
    with refused("MalformedPolicy", 400):
        s3.put_bucket_policy(Bucket=bucket, Policy=policy(made))


@pytest.mark.parametrize("text", ["", " ", "[]", "{", "true", '{"Version": "2012-10-17"}', '{"Version": "1", "Statement": []}'])
def test_what_is_no_json(s3, bucket, text):
    with refused("MalformedPolicy", 400):
        s3.put_bucket_policy(Bucket=bucket, Policy=text)


# Actions of another user, and what must be allowed for each.
ACTIONS = {
    "s3:GetObject": lambda c, b: c.get_object(Bucket=b, Key="k"),
    "s3:PutObject": lambda c, b: c.put_object(Bucket=b, Key="n", Body=b"x"),
    "s3:DeleteObject": lambda c, b: c.delete_object(Bucket=b, Key="n"),
    "s3:ListBucket": lambda c, b: c.list_objects_v2(Bucket=b),
    "s3:ListBucketMultipartUploads": lambda c, b: c.list_multipart_uploads(Bucket=b),
    "s3:GetObjectAcl": lambda c, b: c.get_object_acl(Bucket=b, Key="k"),
    "s3:PutObjectAcl": lambda c, b: c.put_object_acl(Bucket=b, Key="k", ACL="private"),
    "s3:GetBucketLocation": lambda c, b: c.get_bucket_location(Bucket=b),
    "s3:GetBucketAcl": lambda c, b: c.get_bucket_acl(Bucket=b),
    "s3:GetBucketPolicy": lambda c, b: c.get_bucket_policy(Bucket=b),
    "s3:GetBucketPolicyStatus": lambda c, b: c.get_bucket_policy_status(Bucket=b),
    "s3:PutBucketCORS": lambda c, b: c.delete_bucket_cors(Bucket=b),
    "s3:PutBucketTagging": lambda c, b: c.delete_bucket_tagging(Bucket=b),
    "s3:GetBucketRequestPayment": lambda c, b: c.get_bucket_request_payment(Bucket=b),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_is_allowed_alone(s3, bucket, other, other_id, action):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, action, {"AWS": f"arn:aws:iam::1:user/{other_id}"}))
    for name, act in ACTIONS.items():
        assert allowed(lambda: act(other, bucket)) == (name == action), name


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_is_denied_to_the_owner_too(s3, bucket, action):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement(bucket, action, "Deny")))
    assert allowed(lambda: ACTIONS[action](s3, bucket)) == (action == "s3:GetBucketPolicy")
    s3.delete_bucket_policy(Bucket=bucket)


def test_a_denial_wins_over_lists_and_permissions(s3, bucket, anonymous, other):
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"x", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="shut/k", Body=b"x", ACL="public-read")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(
        statement(bucket, "s3:*"),
        statement(bucket, "s3:GetObject", "Deny", resource=f"arn:aws:s3:::{bucket}/shut/*")))
    for client in (anonymous, other, s3):
        assert allowed(lambda: client.get_object(Bucket=bucket, Key="open/k"))
        assert not allowed(lambda: client.get_object(Bucket=bucket, Key="shut/k"))
        assert not allowed(lambda: client.head_object(Bucket=bucket, Key="shut/k"))


def test_deleting_many_asks_for_each_key(s3, bucket, other, other_id):
    for key in ("a/1", "b/1"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(
        statement(bucket, "s3:DeleteObject", principal={"AWS": other_id}, resource=f"arn:aws:s3:::{bucket}/a/*")))
    answer = other.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/1"}, {"Key": "b/1"}]})
    assert [d["Key"] for d in answer["Deleted"]] == ["a/1"]
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("b/1", "AccessDenied")]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b/1"]


def test_what_a_put_says_besides_needs_its_own_right(s3, bucket, other, other_id):
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:PutObject", {"AWS": other_id}))
    other.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("AccessDenied", 403):
        other.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(
        bucket, ["s3:PutObject", "s3:PutObjectAcl"], {"AWS": other_id}))
    other.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")


def test_a_copy_by_policy_reads_its_source(s3, bucket, other, other_id):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:PutObject", {"AWS": other_id}))
    with refused("AccessDenied", 403):
        other.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, ["s3:PutObject", "s3:GetObject"], {"AWS": other_id}))
    other.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})


def test_missing_keys_are_told_to_those_who_may_list(s3, bucket, anonymous):
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:GetObject"))
    with refused("AccessDenied", 403):
        anonymous.get_object(Bucket=bucket, Key="missing")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, ["s3:GetObject", "s3:ListBucket"]))
    with refused("NoSuchKey", 404):
        anonymous.get_object(Bucket=bucket, Key="missing")


CONDITIONS = [
    # condition, action, call that meets it, call that does not
    ({"StringEquals": {"s3:prefix": "a/"}}, "s3:ListBucket",
     lambda c, b: c.list_objects_v2(Bucket=b, Prefix="a/"), lambda c, b: c.list_objects_v2(Bucket=b, Prefix="b/")),
    ({"StringEquals": {"s3:delimiter": "/"}}, "s3:ListBucket",
     lambda c, b: c.list_objects_v2(Bucket=b, Delimiter="/"), lambda c, b: c.list_objects_v2(Bucket=b)),
    ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, "s3:ListBucket",
     lambda c, b: c.list_objects_v2(Bucket=b, MaxKeys=10), lambda c, b: c.list_objects_v2(Bucket=b, MaxKeys=11)),
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, "s3:GetObject",
     lambda c, b: c.get_object(Bucket=b, Key="k"), None),
    ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, "s3:GetObject",
     None, lambda c, b: c.get_object(Bucket=b, Key="k")),
    ({"Bool": {"aws:SecureTransport": "true"}}, "s3:GetObject", None, lambda c, b: c.get_object(Bucket=b, Key="k")),
    ({"Bool": {"aws:SecureTransport": "false"}}, "s3:GetObject", lambda c, b: c.get_object(Bucket=b, Key="k"), None),
    ({"StringLike": {"aws:UserAgent": "Boto3/*"}}, "s3:GetObject", lambda c, b: c.get_object(Bucket=b, Key="k"), None),
    ({"StringLike": {"aws:UserAgent": "Netscape*"}}, "s3:GetObject",
     None, lambda c, b: c.get_object(Bucket=b, Key="k")),
    ({"DateLessThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}, "s3:GetObject",
     lambda c, b: c.get_object(Bucket=b, Key="k"), None),
    ({"DateGreaterThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}, "s3:GetObject",
     None, lambda c, b: c.get_object(Bucket=b, Key="k")),
    ({"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}, ["s3:PutObject", "s3:PutObjectAcl"],
     lambda c, b: c.put_object(Bucket=b, Key="n", ACL="bucket-owner-full-control"),
     lambda c, b: c.put_object(Bucket=b, Key="n", ACL="public-read")),
    ({"StringEquals": {"s3:x-amz-storage-class": "GLACIER"}}, "s3:PutObject",
     lambda c, b: c.put_object(Bucket=b, Key="n", StorageClass="GLACIER"), lambda c, b: c.put_object(Bucket=b, Key="n")),
    ({"Null": {"s3:x-amz-storage-class": "true"}}, "s3:PutObject",
     lambda c, b: c.put_object(Bucket=b, Key="n"), lambda c, b: c.put_object(Bucket=b, Key="n", StorageClass="GLACIER")),
    ({"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}, "s3:GetObject",
     lambda c, b: c.get_object(Bucket=b, Key="k"), None),
    ({"StringNotEquals": {"aws:username": "somebody-else"}}, "s3:GetObject",
     lambda c, b: c.get_object(Bucket=b, Key="k"), None),
]


@pytest.mark.parametrize("condition, action, good, bad", CONDITIONS, ids=lambda value: json.dumps(value)[:70] if isinstance(value, dict) else "")
def test_conditions(s3, bucket, other, other_id, condition, action, good, bad):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, action, {"AWS": other_id}, **condition))
    if good:
        assert allowed(lambda: good(other, bucket))
    if bad:
        assert not allowed(lambda: bad(other, bucket))


TAGGED = {"StringEquals": {"s3:RequestObjectTag/team": "blue"}, "ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["team", "x"]}}


def tagging(**tags):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_conditions_on_the_tags_that_a_request_brings(s3, bucket, server, other, other_user, other_id):
    """By header, in the body of PutObjectTagging, and in a form."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, ["s3:PutObject", "s3:PutObjectTagging"], {"AWS": other_id}, **TAGGED))
    for tags, good in (({"team": "blue"}, True), ({"team": "blue", "x": "1"}, True), ({"team": "red"}, False), ({}, False),
                       ({"x": "1"}, False), ({"team": "blue", "y": "1"}, False)):
        header = "&".join(f"{key}={value}" for key, value in tags.items())
        assert allowed(lambda: other.put_object(Bucket=bucket, Key="n", Body=b"x", Tagging=header)) == good, tags
        assert allowed(lambda: other.put_object_tagging(Bucket=bucket, Key="k", Tagging=tagging(**tags))) == good, tags
        document = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags.items())
        fields = {"key": "f", "tagging": f"<Tagging><TagSet>{document}</TagSet></Tagging>"}
        made = {"expiration": later(), "conditions": [{"bucket": bucket}, {"key": "f"}, ["starts-with", "$tagging", ""]]}
        form = signed_form(bucket, fields, made, access=other_user[0], secret=other_user[1])
        assert (post(server, bucket, form).status == 204) == good, tags
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tagging(team="blue", x="1")["TagSet"]
    assert allowed(lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tagging(y="1")))


def test_a_denial_of_tags_holds_for_the_owner(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement(
        bucket, "s3:PutObjectTagging", "Deny", resource=f"arn:aws:s3:::{bucket}/*", StringEquals={"s3:RequestObjectTag/team": "red"})))
    assert not allowed(lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tagging(team="red")))
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert allowed(lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tagging(team="blue")))


def test_a_home_for_each_user(s3, bucket, other, other_id):
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement(
        bucket, ["s3:GetObject", "s3:PutObject"], resource=f"arn:aws:s3:::{bucket}/home/${{aws:username}}/*")))
    other.put_object(Bucket=bucket, Key=f"home/{other_id}/k", Body=b"x")
    with refused("AccessDenied", 403):
        other.put_object(Bucket=bucket, Key="home/another/k", Body=b"x")


@pytest.mark.parametrize("principal, condition, public", [
    ("*", {}, True), ({"AWS": "*"}, {}, True), ("user", {}, False),
    ("*", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ("*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
    ("*", {"StringEquals": {"aws:username": "somebody"}}, False),
    ("*", {"StringLike": {"aws:username": "some*"}}, True)])
def test_status(s3, bucket, other_id, principal, condition, public):
    principal = {"AWS": other_id} if principal == "user" else principal
    s3.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:GetObject", principal, **condition))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is public


def test_only_the_owner_has_a_say(s3, bucket, other, anonymous):
    for client in (other, anonymous):
        for act in (lambda: client.get_bucket_policy(Bucket=bucket), lambda: client.delete_bucket_policy(Bucket=bucket),
                    lambda: client.put_bucket_policy(Bucket=bucket, Policy=allow(bucket, "s3:*"))):
            assert not allowed(act)
