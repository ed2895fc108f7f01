"""Versions and lifecycles in a cluster whose processes die: what was acknowledged stays, and gives its space back when it
is deleted. A day of a lifecycle takes two seconds here."""
import concurrent.futures
import hashlib
import pathlib
import shutil
import tempfile
import uuid

import botocore.exceptions
import pytest
from conftest import Cluster, stop_cluster, wait_until

MIB = 1 << 20


@pytest.fixture(scope="module")
def cluster():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-versions-"))
    settings = {
        "repair.release_grace": "2s", "repair.release_interval": "1s", "repair.lifecycle_interval": "1s",
        "repair.lifecycle_day": "2s", "gateway.lifecycle_day": "2s"}
    try:
        yield Cluster(folder, *(part for item in settings.items() for part in ("--set", "=".join(item))))
    finally:
        stop_cluster(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bucket(cluster):
    name = f"box-{uuid.uuid4().hex[:8]}"
    s3 = cluster.s3()
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def content(seed, size):
    return hashlib.shake_128(str(seed).encode()).digest(size)


def live_bytes(cluster):
    return sum(disk["active_size"] for i in (1, 2, 3) for disk in cluster.adm("du", f"storage-{i}")["disks"])


def listed(s3, bucket):
    versions, markers = [], []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions += page.get("Versions", [])
        markers += page.get("DeleteMarkers", [])
    return versions, markers


def test_versions_keep_their_space_until_they_are_deleted(cluster, bucket):
    s3 = cluster.s3()
    before = live_bytes(cluster)
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=content(seed, 2 * MIB))["VersionId"] for seed in range(3)]
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="other", Body=content("gone", 2 * MIB))
    version = s3.head_object(Bucket=bucket, Key="other")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="other", VersionId=version)
    # When the content of the deleted version is gone, that of the others had its chance to be taken away too.
    wait_until("the deleted version to give its space back", lambda: live_bytes(cluster) - before < 3 * 7 * MIB, 60, 0.5)
    for seed, version in enumerate(ids):
        got = s3.get_object(Bucket=bucket, Key="k", VersionId=version)
        assert got["Body"].read() == content(seed, 2 * MIB)
    for version in ids:
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    wait_until("all versions to give their space back", lambda: live_bytes(cluster) - before < MIB, 60, 0.5)


def test_a_gateway_dies_while_versions_are_written(cluster, bucket):
    s3 = cluster.s3(read_timeout=5)
    acknowledged, unsure = set(), 0

    def put(number):
        try:
            return s3.put_object(Bucket=bucket, Key=f"k{number % 3}", Body=str(number).encode())["VersionId"]
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            return None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(put, number) for number in range(150)]
        wait_until("some versions", lambda: sum(future.done() for future in futures) >= 40, 60, 0.01)
        cluster.kill("gateway", hold=False)
        wait_until("the gateway to come back", lambda: cluster.healthy("gateway", "ready"), 60)
        for future in futures:
            version = future.result()
            if version:
                acknowledged.add(version)
            else:
                unsure += 1
    versions, _ = listed(cluster.s3(), bucket)
    ids = {entry["VersionId"] for entry in versions}
    assert acknowledged <= ids
    assert len(ids) <= len(acknowledged) + unsure
    assert sum(entry["IsLatest"] for entry in versions) == 3
    for entry in versions:
        s3 = cluster.s3()
        assert s3.get_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])["Body"].read().isdigit()
        s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
    assert listed(cluster.s3(), bucket) == ([], [])
    cluster.s3().delete_bucket(Bucket=bucket)


def test_a_lifecycle_is_carried_out(cluster, bucket):
    s3 = cluster.s3()
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [
        {"ID": "tmp", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1},
         "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
        {"ID": "markers", "Status": "Enabled", "Filter": {"Prefix": "tmp/"},
         "Expiration": {"ExpiredObjectDeleteMarker": True}}]})
    for key in ("tmp/1", "tmp/2", "kept"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
        s3.put_object(Bucket=bucket, Key=key, Body=b"2")
    s3.create_multipart_upload(Bucket=bucket, Key="tmp/upload")
    kept = s3.create_multipart_upload(Bucket=bucket, Key="kept")["UploadId"]
    wait_until("everything below tmp/ to go", lambda: (
        {entry["Key"] for group in listed(s3, bucket) for entry in group} == {"kept"}), 60, 0.5)
    assert len(listed(s3, bucket)[0]) == 2
    wait_until("the upload to go", lambda: (
        [entry["UploadId"] for entry in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])] == [kept]), 30, 0.5)


def test_a_lifecycle_leaves_what_is_locked(cluster):
    s3 = cluster.s3()
    name = f"box-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    held = s3.put_object(Bucket=name, Key="k", Body=b"1", ObjectLockLegalHoldStatus="ON")["VersionId"]
    free = s3.put_object(Bucket=name, Key="k", Body=b"2")["VersionId"]
    s3.put_object(Bucket=name, Key="k", Body=b"3")
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}]})
    ids = lambda: {entry["VersionId"] for entry in listed(s3, name)[0]}
    wait_until("the free version to go", lambda: free not in ids(), 60, 0.5)
    assert held in ids()
