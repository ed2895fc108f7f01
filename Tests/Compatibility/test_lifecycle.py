import datetime

import pytest

from conftest import make_client, refused

DAY = datetime.timedelta(days=1)


def rule(id="r", status="Enabled", filter=None, **actions):
    return {"ID": id, "Status": status, "Filter": filter if filter is not None else {}} | (
        actions or {"Expiration": {"Days": 1}})


def put(s3, bucket, *rules):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)})


RULES = [
    [rule()], [rule(status="Disabled")], [rule(filter={"Prefix": "a/"})],
    [rule(filter={"Tag": {"Key": "k", "Value": "v"}})],
    [rule(filter={"And": {"Prefix": "ü/", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}]}})],
    [rule(filter={"ObjectSizeGreaterThan": 500}), rule("s", filter={"ObjectSizeLessThan": 9})],
    [rule(filter={"And": {"ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 9}})],
    [rule(Expiration={"Date": datetime.datetime(2035, 1, 1, tzinfo=datetime.timezone.utc)})],
    [rule(Expiration={"ExpiredObjectDeleteMarker": True})],
    [rule(NoncurrentVersionExpiration={"NoncurrentDays": 3, "NewerNoncurrentVersions": 2})],
    [rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7})],
    [rule(
        Expiration={"Days": 30}, NoncurrentVersionExpiration={"NoncurrentDays": 3},
        AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7})],
    [rule(str(number), filter={"Prefix": f"{number}/"}) for number in range(200)]]


@pytest.mark.parametrize("rules", RULES)
def test_rules_come_back_as_they_were_put(s3, bucket, rules):
    with refused("NoSuchLifecycleConfiguration", 404):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    put(s3, bucket, *rules)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_lifecycle(Bucket=bucket)
    with refused("NoSuchLifecycleConfiguration", 404):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


def test_a_rule_without_an_id_gets_one(s3, bucket):
    bare = rule(filter={"Prefix": "x"})
    del bare["ID"]
    put(s3, bucket, bare, dict(bare, Filter={"Prefix": "y"}))
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert len({entry["ID"] for entry in got}) == 2
    assert [entry["Filter"]["Prefix"] for entry in got] == ["x", "y"]


BAD = [
    ([rule(Expiration={"Days": 0})], "InvalidArgument"), ([rule(Expiration={"Days": -1})], "InvalidArgument"),
    ([rule("x" * 256)], "InvalidArgument"), ([rule(), rule()], "InvalidArgument"),
    ([rule(status="enabled")], "MalformedXML"), ([rule(status="")], "MalformedXML"),
    ([rule(Expiration={"Date": datetime.datetime(2035, 1, 1, 1, tzinfo=datetime.timezone.utc)})], "InvalidArgument"),
    ([rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True})], "MalformedXML"),
    ([rule(NoncurrentVersionExpiration={"NoncurrentDays": 0})], "InvalidArgument"),
    ([rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 101})], "InvalidArgument"),
    ([rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0})], "InvalidArgument"),
    ([rule(
        filter={"Tag": {"Key": "a", "Value": "b"}},
        AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})], "InvalidRequest"),
    ([rule(
        filter={"Tag": {"Key": "a", "Value": "b"}}, Expiration={"ExpiredObjectDeleteMarker": True})],
     "InvalidRequest"),
    ([rule(filter={"And": {"ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 3}})], "InvalidRequest"),
    ([{"ID": "r", "Status": "Enabled", "Filter": {}}], "InvalidRequest"),
    ([], "MalformedXML"), ([rule(str(number)) for number in range(1001)], "MalformedXML")]


@pytest.mark.parametrize("rules,code", BAD)
def test_rules_that_make_no_sense(s3, bucket, rules, code):
    with refused(code, 400):
        put(s3, bucket, *rules)
    with refused("NoSuchLifecycleConfiguration", 404):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


def test_transitions_are_refused(s3, bucket):
    with refused("NotImplemented", 501):
        put(s3, bucket, rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}]))


def test_whose_lifecycle(s3, bucket, other_user):
    other = make_client(*other_user)
    with refused("AccessDenied", 403):
        put(other, bucket, rule())
    with refused("AccessDenied", 403):
        other.get_bucket_lifecycle_configuration(Bucket=bucket)


def test_when_an_object_expires(s3, bucket):
    put(s3, bucket, rule("logs", filter={"Prefix": "log/"}, Expiration={"Days": 5}),
        rule("tmp", filter={"Tag": {"Key": "tmp", "Value": "1"}}, Expiration={"Days": 1}))
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    made = s3.put_object(Bucket=bucket, Key="log/1", Body=b"x")
    head = s3.head_object(Bucket=bucket, Key="log/1")
    assert head["Expiration"] == made["Expiration"] == s3.get_object(Bucket=bucket, Key="log/1")["Expiration"]
    assert 'rule-id="logs"' in head["Expiration"]
    text = head["Expiration"].split('expiry-date="')[1].split('"')[0]
    date = datetime.datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.timezone.utc)
    assert (date.hour, date.minute, date.second) == (0, 0, 0)
    assert 5 * DAY <= date - head["LastModified"] <= 6 * DAY
    s3.put_object_tagging(Bucket=bucket, Key="log/1", Tagging={"TagSet": [{"Key": "tmp", "Value": "1"}]})
    assert 'rule-id="tmp"' in s3.head_object(Bucket=bucket, Key="log/1")["Expiration"]
