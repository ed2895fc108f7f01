"""Quotas of buckets and users, and what they hold."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import uuid

import pytest

from conftest import make_client, refused, wait_until


def admin(*arguments):
    program = pathlib.Path(os.environ["MARTLET_BIN"]) / "martlet-adm"
    done = subprocess.run([program, "--json", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def limited():
    """A user of his own with a bucket: (user id, client, bucket)."""
    user = f"limited-{uuid.uuid4().hex[:8]}"
    made = admin("create-user", user)
    client = make_client(made["access_key_id"], made["secret_access_key"])
    name = f"limited-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    yield user, client, name
    for listed in client.list_objects_v2(Bucket=name).get("Contents", []):
        client.delete_object(Bucket=name, Key=listed["Key"])
    client.delete_bucket(Bucket=name)
    admin("delete-user", user)


def until(holds):
    """What others have deleted makes room with the next survey, within about a second."""
    wait_until("a survey", holds)


def is_refused(action):
    try:
        action()
        return False
    except Exception as error:
        assert error.response["Error"]["Code"] == "QuotaExceeded", error.response
        return True


def until_refused(client, bucket, key, body):
    """What has come in before the gateway heard of the quota may be overwritten for ever, so it is removed again."""
    def holds():
        if is_refused(lambda: client.put_object(Bucket=bucket, Key=key, Body=body)):
            return True
        client.delete_object(Bucket=bucket, Key=key)
        return False
    until(holds)


@pytest.mark.parametrize("subject", ["bucket", "user"])
def test_bytes(limited, subject):
    user, client, bucket = limited
    client.put_object(Bucket=bucket, Key="a", Body=b"x" * 600)
    admin(*(("set-bucket-quota", bucket) if subject == "bucket" else ("set-user-quota", user)), "1000", "0")
    until_refused(client, bucket, "b", b"x" * 401)
    client.put_object(Bucket=bucket, Key="b", Body=b"x" * 400)
    with refused("QuotaExceeded", 403):
        client.put_object(Bucket=bucket, Key="c", Body=b"x")
    upload = client.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    with refused("QuotaExceeded", 403):
        client.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")
    client.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
    assert client.get_object(Bucket=bucket, Key="b")["ContentLength"] == 400
    client.delete_object(Bucket=bucket, Key="a")
    until(lambda: not is_refused(lambda: client.put_object(Bucket=bucket, Key="c", Body=b"x" * 500)))


def test_objects(limited):
    _, client, bucket = limited
    admin("set-bucket-quota", bucket, "0", "2")
    for key in ("a", "b"):
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    until_refused(client, bucket, "c", b"")
    with refused("QuotaExceeded", 403):
        client.copy_object(Bucket=bucket, Key="d", CopySource={"Bucket": bucket, "Key": "a"})
    admin("set-bucket-quota", bucket, "0", "0")
    until(lambda: not is_refused(lambda: client.put_object(Bucket=bucket, Key="d", Body=b"")))


def in_force(client, bucket, *quota):
    """Sets a quota and waits until the gateway knows it."""
    admin("set-bucket-quota", bucket, "0", "1")
    client.put_object(Bucket=bucket, Key="probe", Body=b"")
    until(lambda: is_refused(lambda: client.put_object(Bucket=bucket, Key=f"probe-{uuid.uuid4()}", Body=b"")))
    for listed in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.delete_object(Bucket=bucket, Key=listed["Key"])
    admin("set-bucket-quota", bucket, *quota)
    until(lambda: not is_refused(lambda: [client.put_object(Bucket=bucket, Key=key, Body=b"") for key in "xy"]))
    for key in "xy":
        client.delete_object(Bucket=bucket, Key=key)


def test_overwrites_go_by_the_difference(limited):
    _, client, bucket = limited
    in_force(client, bucket, "1000", "0")
    client.put_object(Bucket=bucket, Key="a", Body=b"x" * 1000)
    client.put_object(Bucket=bucket, Key="a", Body=b"y" * 1000)
    with refused("QuotaExceeded", 403):
        client.put_object(Bucket=bucket, Key="a", Body=b"y" * 1001)
    client.put_object(Bucket=bucket, Key="a", Body=b"y" * 10)
    client.put_object(Bucket=bucket, Key="b", Body=b"y" * 990)
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"y" * 10


def test_versions_and_uploads_count(limited):
    _, client, bucket = limited
    in_force(client, bucket, str(12 << 20), "0")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    part = b"p" * (5 << 20)
    upload = client.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    parts = []
    for number in (1, 2):
        made = client.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": made["ETag"]})
    with refused("QuotaExceeded", 403):
        client.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=3, Body=part)
    client.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=2, Body=part)
    client.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": parts})
    first = client.put_object(Bucket=bucket, Key="a", Body=b"v" * (1 << 20))["VersionId"]
    client.delete_object(Bucket=bucket, Key="a")
    with refused("QuotaExceeded", 403):
        client.put_object(Bucket=bucket, Key="a", Body=b"v" * ((1 << 20) + 1))
    client.delete_object(Bucket=bucket, Key="a", VersionId=first)
    # The uploaded object and its parts may be counted both for a moment.
    until(lambda: not is_refused(lambda: client.put_object(Bucket=bucket, Key="a", Body=b"v" * (2 << 20))))
    aborted = client.create_multipart_upload(Bucket=bucket, Key="n")["UploadId"]
    with refused("QuotaExceeded", 403):
        client.upload_part(Bucket=bucket, Key="n", UploadId=aborted, PartNumber=1, Body=b"x")
    client.abort_multipart_upload(Bucket=bucket, Key="n", UploadId=aborted)
    for listed in client.list_object_versions(Bucket=bucket).get("Versions", []) + client.list_object_versions(
            Bucket=bucket).get("DeleteMarkers", []):
        client.delete_object(Bucket=bucket, Key=listed["Key"], VersionId=listed["VersionId"])


def test_an_aborted_upload_gives_its_room_back(limited):
    _, client, bucket = limited
    in_force(client, bucket, str(6 << 20), "0")
    upload = client.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    client.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"p" * (5 << 20))
    with refused("QuotaExceeded", 403):
        client.put_object(Bucket=bucket, Key="a", Body=b"x" * (2 << 20))
    client.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
    client.put_object(Bucket=bucket, Key="a", Body=b"x" * (6 << 20))


def test_the_last_place_goes_to_one_of_many(limited):
    _, client, bucket = limited
    in_force(client, bucket, "0", "7")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        refusals = list(pool.map(
            lambda number: is_refused(lambda: client.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")), range(40)))
    assert refusals.count(False) == 7
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 7


def test_usage(limited):
    user, client, bucket = limited
    for number in range(5):
        client.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x" * 1000)
    client.put_object(Bucket=bucket, Key="k0", Body=b"x" * 10)
    client.delete_object(Bucket=bucket, Key="k1")
    admin("set-user-quota", user, "100000", "50")

    def held():
        usage = admin("get-usage")
        return ([u for u in usage["users"] if u["user_id"] == user][0],
                [b for b in usage["buckets"] if b["bucket"] == bucket][0])
    # Replicas that were not part of a write's quorum have it a moment later.
    until(lambda: (held()[1]["objects"], held()[1]["bytes"]) == (4, 3010))
    by_user, by_bucket = held()
    assert (by_user["objects"], by_user["bytes"], by_user["quota_bytes"], by_user["quota_objects"]) == (
        4, 3010, 100000, 50)
    assert by_bucket["owner"] == user


def test_usage_of_versions(limited):
    user, client, bucket = limited
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [client.put_object(Bucket=bucket, Key="k", Body=b"x" * size)["VersionId"] for size in (10, 200, 3000)]
    marker = client.delete_object(Bucket=bucket, Key="k")["VersionId"]

    def held():
        return [(b["objects"], b["bytes"]) for b in admin("get-usage")["buckets"] if b["bucket"] == bucket][0]
    until(lambda: held() == (3, 3210))
    client.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    # The version that is current again is counted once, though two registers have it.
    until(lambda: held() == (3, 3210))
    client.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    until(lambda: held() == (2, 210))
    for version in ids[:2]:
        client.delete_object(Bucket=bucket, Key="k", VersionId=version)
    until(lambda: held() == (0, 0))


@pytest.mark.parametrize("arguments", [["set-bucket-quota", "no-such-bucket", "1", "1"], ["set-user-quota", "nobody", "1", "1"]])
def test_a_quota_needs_its_subject(arguments):
    program = pathlib.Path(os.environ["MARTLET_BIN"]) / "martlet-adm"
    done = subprocess.run([program, "--json", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "not found" in (done.stdout + done.stderr).lower()
