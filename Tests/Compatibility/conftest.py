"""Real clients against a running cluster, which the environment names (compose/up writes it to DIR/env):

MARTLET_S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, MARTLET_KEYSTONE_URL, MARTLET_KEYSTONE_TENANT,
MARTLET_KEYSTONE_USER, MARTLET_KEYSTONE_PASSWORD, MARTLET_ADMIN, MARTLET_BIN; MARTLET_TEST_LARGE_MB is the size of the
large files (default 100).

To run by hand:  compose/up && . martlet-data/env && python3 -m pytest -q -rs Tests/Compatibility
"""
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import time
import uuid

import boto3
import botocore.config
import botocore.exceptions
import pytest

import raw
import swiftapi

REQUIRED = ["MARTLET_S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MARTLET_ADMIN", "MARTLET_BIN",
            "MARTLET_KEYSTONE_URL", "MARTLET_KEYSTONE_TENANT", "MARTLET_KEYSTONE_USER", "MARTLET_KEYSTONE_PASSWORD"]
LARGE_MB = int(os.environ.get("MARTLET_TEST_LARGE_MB", "100"))
MIB = 1 << 20


def pytest_configure(config):
    missing = [name for name in REQUIRED if name not in os.environ]
    if missing:
        raise pytest.UsageError(f"these tests need a running cluster; not set: {', '.join(missing)}")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


def tool(name):
    """Path of a client program. Without it the test is skipped, and says so."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} IS NOT INSTALLED: nothing was tested with it")
    return path


def make_client(access=None, secret=None, config=None, **options):
    merged = botocore.config.Config(
        retries={"max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=10, read_timeout=120)
    if config:
        merged = merged.merge(botocore.config.Config(**config))
    return boto3.client(
        "s3", endpoint_url=os.environ["MARTLET_S3_ENDPOINT"],
        aws_access_key_id=access or os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or os.environ["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1", config=merged, **options)


@contextlib.contextmanager
def refused(code, status=None):
    """The block must fail with this code of S3 (for HEAD: the status as text)."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        yield caught
    response = caught.value.response
    assert response["Error"]["Code"] == code, response["Error"]
    if status is not None:
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status


def wait_until(what, holds, seconds=60, pause=0.05):
    """Polls a condition. The time is for a slow machine: nothing is measured by it."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(pause)


def pattern(size, seed=1):
    return random.Random(seed).randbytes(size)


def md5(data):
    return hashlib.md5(data).hexdigest()


def empty_bucket(client, name):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for listed in page.get("Contents", []):
            client.delete_object(Bucket=name, Key=listed["Key"])
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
        with contextlib.suppress(botocore.exceptions.ClientError):
            client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])


@pytest.fixture(scope="session")
def s3():
    return make_client()


@pytest.fixture
def bucket(s3):
    name = f"test-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name)
    yield name
    with contextlib.suppress(botocore.exceptions.ClientError):
        empty_bucket(s3, name)
        s3.delete_bucket(Bucket=name)


@pytest.fixture(scope="session")
def other_user():
    """Access key id and secret of a second user."""
    admin = pathlib.Path(os.environ["MARTLET_BIN"]) / "martlet-adm"
    made = subprocess.run(
        [admin, "--json", "create-user", f"other-{uuid.uuid4().hex[:8]}"], capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    user = json.loads(made.stdout)
    return user["access_key_id"], user["secret_access_key"]


@pytest.fixture(scope="session")
def other(other_user):
    return make_client(*other_user)


@pytest.fixture(scope="session")
def anonymous():
    return make_client(config={"signature_version": botocore.UNSIGNED})


@pytest.fixture
def server():
    return raw.Server(os.environ["MARTLET_S3_ENDPOINT"])


@pytest.fixture(scope="session")
def demo():
    """The Swift account of the user that the environment names."""
    return swiftapi.Account(
        os.environ["MARTLET_KEYSTONE_USER"], os.environ["MARTLET_KEYSTONE_PASSWORD"], os.environ["MARTLET_KEYSTONE_TENANT"])


@pytest.fixture
def container(demo):
    name = f"swift-{uuid.uuid4().hex[:16]}"
    demo.put(f"/{name}")
    yield name
    demo.empty(name)
    demo.send("DELETE", f"/{name}")
