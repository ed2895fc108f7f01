import datetime
import uuid

import pytest

from conftest import refused

UTC = datetime.timezone.utc
LATER = datetime.datetime(2040, 1, 1, tzinfo=UTC)
MUCH_LATER = datetime.datetime(2050, 1, 1, tzinfo=UTC)
PAST = datetime.datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture
def locked(s3):
    """A bucket with object lock. What is locked for good stays behind."""
    name = f"test-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    yield name
    versions = s3.list_object_versions(Bucket=name)
    for entry in versions.get("Versions", []) + versions.get("DeleteMarkers", []):
        where = {"Bucket": name, "Key": entry["Key"], "VersionId": entry["VersionId"]}
        try:
            s3.delete_object(**where, BypassGovernanceRetention=True)
        except s3.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"


def put(s3, bucket, **options):
    return {"Bucket": bucket, "Key": "k"}, s3.put_object(Bucket=bucket, Key="k", Body=b"x", **options)["VersionId"]


def test_a_bucket_with_object_lock_has_versions(s3, locked):
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    configuration = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert configuration == {"ObjectLockEnabled": "Enabled"}
    with refused("InvalidBucketState", 409):
        s3.put_bucket_versioning(Bucket=locked, VersioningConfiguration={"Status": "Suspended"})


def test_a_bucket_without(s3, bucket):
    with refused("ObjectLockConfigurationNotFoundError", 404):
        s3.get_object_lock_configuration(Bucket=bucket)
    with refused("InvalidBucketState", 409):
        s3.put_object_lock_configuration(
            Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    where = {"Bucket": bucket, "Key": "k"}
    for call in (
            lambda: s3.get_object_retention(**where), lambda: s3.get_object_legal_hold(**where),
            lambda: s3.put_object_legal_hold(**where, LegalHold={"Status": "ON"}),
            lambda: s3.put_object_retention(**where, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": LATER}),
            lambda: s3.put_object(**where, Body=b"x", ObjectLockLegalHoldStatus="ON")):
        with refused("InvalidRequest", 400):
            call()


RULES = [
    ({"Mode": "GOVERNANCE", "Days": 1}, None), ({"Mode": "COMPLIANCE", "Years": 2}, None),
    ({"Mode": "GOVERNANCE", "Days": 0}, "InvalidRetentionPeriod"),
    ({"Mode": "GOVERNANCE", "Years": -1}, "InvalidRetentionPeriod"),
    ({"Mode": "abc", "Days": 1}, "MalformedXML"), ({"Mode": "GOVERNANCE"}, "MalformedXML"),
    ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, "MalformedXML"),
    ({"Mode": "GOVERNANCE", "Days": 40_000}, "InvalidRetentionPeriod")]


@pytest.mark.parametrize("retention,error", RULES)
def test_default_retention(s3, locked, retention, error):
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    if error:
        with refused(error, 400):
            s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
        return
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == configuration


def test_the_default_applies(s3, locked):
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}})
    where, version = put(s3, locked)
    head = s3.head_object(**where)
    assert head["ObjectLockMode"] == "GOVERNANCE"
    days = head["ObjectLockRetainUntilDate"] - datetime.datetime.now(UTC)
    assert datetime.timedelta(days=2) < days <= datetime.timedelta(days=3)
    with refused("AccessDenied", 403):
        s3.delete_object(**where, VersionId=version)


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_retention(s3, locked, mode):
    until = datetime.datetime.now(UTC) + datetime.timedelta(seconds=4) if mode == "COMPLIANCE" else LATER
    where, version = put(s3, locked, ObjectLockMode=mode, ObjectLockRetainUntilDate=until)
    got = s3.get_object_retention(**where)["Retention"]
    assert got["Mode"] == mode
    assert abs(got["RetainUntilDate"] - until) < datetime.timedelta(seconds=1)
    with refused("AccessDenied", 403):
        s3.delete_object(**where, VersionId=version)
    answer = s3.delete_objects(Bucket=locked, Delete={"Objects": [{"Key": "k", "VersionId": version}]})
    assert answer["Errors"][0]["Code"] == "AccessDenied"
    if mode == "COMPLIANCE":
        with refused("AccessDenied", 403):
            s3.delete_object(**where, VersionId=version, BypassGovernanceRetention=True)
        with refused("AccessDenied", 403):
            s3.put_object_retention(**where, Retention={}, BypassGovernanceRetention=True)
    else:
        s3.delete_object(**where, VersionId=version, BypassGovernanceRetention=True)
    s3.delete_object(**where)  # a marker may always come above it


def test_retention_changes(s3, locked):
    where, _ = put(s3, locked)
    with refused("NoSuchObjectLockConfiguration", 404):
        s3.get_object_retention(**where)

    def retain(mode, until, **options):
        s3.put_object_retention(**where, Retention={"Mode": mode, "RetainUntilDate": until}, **options)

    retain("GOVERNANCE", LATER)
    retain("GOVERNANCE", MUCH_LATER)
    with refused("AccessDenied", 403):
        retain("GOVERNANCE", LATER)
    retain("GOVERNANCE", LATER, BypassGovernanceRetention=True)
    with refused("InvalidArgument", 400):
        retain("GOVERNANCE", PAST)
    with refused("MalformedXML", 400):
        retain("governance", LATER)
    with refused("NoSuchKey", 404):
        s3.put_object_retention(
            Bucket=locked, Key="none", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": LATER})


def test_legal_hold(s3, locked):
    where, version = put(s3, locked, ObjectLockLegalHoldStatus="ON")
    put(s3, locked)
    assert s3.get_object_legal_hold(**where, VersionId=version)["LegalHold"]["Status"] == "ON"
    # Of a version that never had one nothing is said.
    assert "ObjectLockLegalHoldStatus" not in s3.head_object(**where)
    with refused("NoSuchObjectLockConfiguration", 404):
        s3.get_object_legal_hold(**where)
    s3.put_object_legal_hold(**where, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(**where)["LegalHold"]["Status"] == "OFF"
    assert s3.head_object(**where)["ObjectLockLegalHoldStatus"] == "OFF"
    assert s3.head_object(**where, VersionId=version)["ObjectLockLegalHoldStatus"] == "ON"
    with refused("AccessDenied", 403):
        s3.delete_object(**where, VersionId=version, BypassGovernanceRetention=True)
    with refused("MalformedXML", 400):
        s3.put_object_legal_hold(**where, LegalHold={"Status": "abc"})
    s3.put_object_legal_hold(**where, VersionId=version, LegalHold={"Status": "OFF"})
    s3.delete_object(**where, VersionId=version)


@pytest.mark.parametrize("options", [
    {"ObjectLockMode": "GOVERNANCE"}, {"ObjectLockRetainUntilDate": LATER},
    {"ObjectLockMode": "abc", "ObjectLockRetainUntilDate": LATER}, {"ObjectLockLegalHoldStatus": "abc"},
    {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": PAST}])
def test_bad_locks(s3, locked, options):
    with refused("InvalidArgument", 400):
        put(s3, locked, **options)
