"""Quotas of buckets and users, and what they hold."""
import json
import os
import pathlib
import subprocess
import time
import uuid

import pytest

from conftest import make_client, refused


def admin(*arguments):
    program = pathlib.Path(os.environ["MARTLET_BIN"]) / "martlet-adm"
    done = subprocess.run([program, "--json", *arguments], capture_output=True, text=True, timeout=30)
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
    """Gateways hear of a quota, and of what others have deleted, within about a second."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_refused(action):
    try:
        action()
        return False
    except Exception as error:
        assert error.response["Error"]["Code"] == "QuotaExceeded", error.response
        return True


@pytest.mark.parametrize("subject", ["bucket", "user"])
def test_bytes(limited, subject):
    user, client, bucket = limited
    client.put_object(Bucket=bucket, Key="a", Body=b"x" * 600)
    admin(*(("set-bucket-quota", bucket) if subject == "bucket" else ("set-user-quota", user)), "1000", "0")
    until(lambda: is_refused(lambda: client.put_object(Bucket=bucket, Key="b", Body=b"x" * 401)))
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
    until(lambda: is_refused(lambda: client.put_object(Bucket=bucket, Key="c", Body=b"")))
    with refused("QuotaExceeded", 403):
        client.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "a"})
    admin("set-bucket-quota", bucket, "0", "0")
    until(lambda: not is_refused(lambda: client.put_object(Bucket=bucket, Key="c", Body=b"")))


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
    assert (by_user["objects"], by_user["bytes"], by_user["quota_bytes"], by_user["quota_objects"]) == (4, 3010, 100000, 50)
    assert by_bucket["owner"] == user
