import concurrent.futures
import contextlib

import pytest

from conftest import MIB, make_client, md5, pattern, refused


@pytest.fixture
def versioned(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    yield bucket
    with contextlib.suppress(s3.exceptions.NoSuchBucket):
        remove_versions(s3, bucket)


def remove_versions(s3, bucket):
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(
                Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"], BypassGovernanceRetention=True)


def put(s3, bucket, key, data, **options):
    return s3.put_object(Bucket=bucket, Key=key, Body=data, **options)["VersionId"]


def listed(s3, bucket, **options):
    """Version ids of versions and of delete markers, as a paginator finds them."""
    versions, markers = [], []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **options):
        versions += page.get("Versions", [])
        markers += page.get("DeleteMarkers", [])
    return versions, markers


# The bucket

def test_states_of_a_bucket(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended", "Enabled"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
    with refused("MalformedXML", 400):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Off"})
    with refused("IllegalVersioningConfigurationException", 400):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={})
    with refused("NoSuchBucket", 404):
        s3.put_bucket_versioning(Bucket="no-such-bucket-here", VersioningConfiguration={"Status": "Enabled"})


def test_a_bucket_with_versions_is_not_empty(s3, versioned):
    put(s3, versioned, "k", b"1")
    s3.delete_object(Bucket=versioned, Key="k")
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=versioned)
    remove_versions(s3, versioned)
    s3.delete_bucket(Bucket=versioned)


# Versions

@pytest.mark.parametrize("size", [0, 1, 4096, MIB, MIB + 1, 3 * MIB + 7])
def test_every_version_keeps_its_content(s3, versioned, size):
    datas = [pattern(size, seed) for seed in range(3)]
    ids = [put(s3, versioned, "k", data) for data in datas]
    assert len(set(ids)) == 3
    for data, version in zip(datas, ids):
        got = s3.get_object(Bucket=versioned, Key="k", VersionId=version)
        assert (got["Body"].read(), got["VersionId"], got["ETag"]) == (data, version, f'"{md5(data)}"')
        assert s3.head_object(Bucket=versioned, Key="k", VersionId=version)["ContentLength"] == size
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == ids[-1]
    assert [entry["VersionId"] for entry in listed(s3, versioned)[0]] == ids[::-1]


@pytest.mark.parametrize("size", [10, MIB + 10])
def test_what_was_there_before_is_the_null_version(s3, bucket, size):
    old = pattern(size)
    s3.put_object(Bucket=bucket, Key="k", Body=old, Metadata={"a": "b"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    put(s3, bucket, "k", b"new")
    got = s3.get_object(Bucket=bucket, Key="k", VersionId="null")
    assert (got["Body"].read(), got["Metadata"]) == (old, {"a": "b"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    for number in range(2):
        assert put(s3, bucket, "k", str(number).encode()) == "null"
    assert len(listed(s3, bucket)[0]) == 2
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"1"
    remove_versions(s3, bucket)


def test_delete_markers(s3, versioned):
    first = put(s3, versioned, "k", b"1")
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"] and marker["VersionId"] != first
    with refused("NoSuchKey", 404) as caught:
        s3.get_object(Bucket=versioned, Key="k")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true" and headers["x-amz-version-id"] == marker["VersionId"]
    with refused("404", 404):
        s3.head_object(Bucket=versioned, Key="k")
    with refused("MethodNotAllowed", 405):
        s3.get_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    with refused("405", 405):
        s3.head_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    again = s3.delete_object(Bucket=versioned, Key="k")
    assert again["VersionId"] != marker["VersionId"]
    assert [entry["IsLatest"] for entry in listed(s3, versioned)[1]] == [True, False]
    for version in (again["VersionId"], marker["VersionId"]):
        gone = s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
        assert gone["DeleteMarker"] and gone["VersionId"] == version
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"


def test_a_missing_key_gets_a_marker_too(s3, versioned):
    assert s3.delete_object(Bucket=versioned, Key="none")["DeleteMarker"]
    assert len(listed(s3, versioned)[1]) == 1


def test_a_marker_of_a_suspended_bucket_is_null(s3, versioned):
    first = put(s3, versioned, "k", b"1")
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    for _ in range(2):
        assert s3.delete_object(Bucket=versioned, Key="k")["VersionId"] == "null"
    versions, markers = listed(s3, versioned)
    assert [entry["VersionId"] for entry in versions] == [first]
    assert [entry["VersionId"] for entry in markers] == ["null"]
    s3.delete_object(Bucket=versioned, Key="k", VersionId="null")
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1)])
def test_versions_go_one_by_one(s3, versioned, order):
    ids = [put(s3, versioned, "k", str(number).encode()) for number in range(4)]
    left = list(ids)
    for index in order:
        s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[index])
        left.remove(ids[index])
        assert [entry["VersionId"] for entry in listed(s3, versioned)[0]] == left[::-1]
        with refused("NoSuchVersion", 404):
            s3.get_object(Bucket=versioned, Key="k", VersionId=ids[index])
        if left:
            assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == left[-1]
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=versioned, Key="k")


@pytest.mark.parametrize("version", ["x", "0" * 32, "F" * 32, "../..", "n" * 100])
def test_ids_that_are_none(s3, versioned, version):
    put(s3, versioned, "k", b"1")
    with refused("InvalidArgument", 400):
        s3.get_object(Bucket=versioned, Key="k", VersionId=version)
    with refused("InvalidArgument", 400):
        s3.delete_object(Bucket=versioned, Key="k", VersionId=version)


def test_delete_many_versions(s3, versioned):
    ids = [put(s3, versioned, "k", b"x") for _ in range(5)]
    answer = s3.delete_objects(Bucket=versioned, Delete={
        "Objects": [{"Key": "k", "VersionId": version} for version in ids[:3]] + [{"Key": "k"}]})
    assert len(answer["Deleted"]) == 4
    assert [entry for entry in answer["Deleted"] if entry.get("DeleteMarker")][0]["DeleteMarkerVersionId"]
    versions, markers = listed(s3, versioned)
    assert (len(versions), len(markers)) == (2, 1)
    again = s3.delete_objects(Bucket=versioned, Delete={
        "Objects": [{"Key": "k", "VersionId": markers[0]["VersionId"]}]})
    assert again["Deleted"][0]["DeleteMarker"]


def test_copies_of_versions(s3, versioned):
    first = put(s3, versioned, "k", b"1", Metadata={"a": "b"})
    put(s3, versioned, "k", b"2")
    source = {"Bucket": versioned, "Key": "k", "VersionId": first}
    copy = s3.copy_object(Bucket=versioned, Key="copy", CopySource=source)
    assert copy["CopySourceVersionId"] == first and copy["VersionId"]
    assert s3.get_object(Bucket=versioned, Key="copy")["Metadata"] == {"a": "b"}
    s3.copy_object(Bucket=versioned, Key="k", CopySource=source)  # brings it back
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    with refused("InvalidRequest", 400):
        s3.copy_object(
            Bucket=versioned, Key="c", CopySource={"Bucket": versioned, "Key": "k", "VersionId": marker})
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=versioned, Key="c", CopySource={"Bucket": versioned, "Key": "k"})


def test_tags_and_lists_of_versions(s3, versioned):
    first = put(s3, versioned, "k", b"1", Tagging="a=1")
    second = put(s3, versioned, "k", b"2")
    tags = {"TagSet": [{"Key": "x", "Value": "y"}]}
    assert s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=first, Tagging=tags)["VersionId"] == first
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)["TagSet"] == tags["TagSet"]
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=second)["TagSet"] == []
    s3.put_object_acl(Bucket=versioned, Key="k", VersionId=first, ACL="public-read")
    assert len(s3.get_object_acl(Bucket=versioned, Key="k", VersionId=first)["Grants"]) == 2
    assert len(s3.get_object_acl(Bucket=versioned, Key="k")["Grants"]) == 1
    s3.delete_object_tagging(Bucket=versioned, Key="k", VersionId=first)
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)["TagSet"] == []
    attributes = s3.get_object_attributes(
        Bucket=versioned, Key="k", VersionId=first, ObjectAttributes=["ETag", "ObjectSize"])
    assert (attributes["ObjectSize"], attributes["VersionId"]) == (1, first)


def test_uploads_become_versions(s3, versioned):
    ids = []
    for seed in range(2):
        where = {"Bucket": versioned, "Key": "k"}
        upload = s3.create_multipart_upload(**where)["UploadId"]
        etag = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=pattern(100, seed))["ETag"]
        ids.append(s3.complete_multipart_upload(
            **where, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})["VersionId"])
    for seed, version in enumerate(ids):
        assert s3.get_object(Bucket=versioned, Key="k", VersionId=version)["Body"].read() == pattern(100, seed)


# Listing

@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_pages(s3, versioned, size):
    for key in ["a", "a/b", "a b", "z/ü", "zz"]:
        for number in range(3):
            put(s3, versioned, key, str(number).encode())
    s3.delete_object(Bucket=versioned, Key="zz")
    versions, markers = listed(s3, versioned, PaginationConfig={"PageSize": size})
    assert [(entry["Key"], entry["IsLatest"]) for entry in versions] == [
        (key, number == 0 and key != "zz") for key in ["a", "a b", "a/b", "z/ü", "zz"] for number in range(3)]
    assert [entry["Key"] for entry in markers] == ["zz"]
    assert len({entry["VersionId"] for entry in versions}) == 15


def test_prefixes_and_delimiters(s3, versioned):
    for key in ["a/1", "a/2", "b/1", "c"]:
        put(s3, versioned, key, b"")
        put(s3, versioned, key, b"")
    s3.delete_object(Bucket=versioned, Key="b/1")
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["a/", "b/"]
    assert [entry["Key"] for entry in page["Versions"]] == ["c", "c"]
    first = s3.list_object_versions(Bucket=versioned, Delimiter="/", MaxKeys=1)
    assert first["IsTruncated"] and first["NextKeyMarker"] == "a/"
    second = s3.list_object_versions(Bucket=versioned, Delimiter="/", MaxKeys=1, KeyMarker="a/")
    assert [entry["Prefix"] for entry in second["CommonPrefixes"]] == ["b/"]
    assert len(s3.list_object_versions(Bucket=versioned, Prefix="a/")["Versions"]) == 4
    assert len(s3.list_object_versions(Bucket=versioned, KeyMarker="b/1")["Versions"]) == 2
    with refused("InvalidArgument", 400):
        s3.list_object_versions(Bucket=versioned, VersionIdMarker="0" * 31 + "1")
    with refused("InvalidArgument", 400):
        s3.list_object_versions(Bucket=versioned, KeyMarker="a", VersionIdMarker="nonsense")


# Many at once

def test_concurrent_writers_leave_every_version(s3, versioned):
    client = make_client(config={"max_pool_connections": 16})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda number: put(client, versioned, "k", str(number).encode()), range(48)))
    versions, _ = listed(s3, versioned)
    assert sorted(entry["VersionId"] for entry in versions) == sorted(ids)
    assert sum(entry["IsLatest"] for entry in versions) == 1
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda version: client.delete_object(Bucket=versioned, Key="k", VersionId=version), ids))
    assert listed(s3, versioned) == ([], [])


def test_an_atomic_counter(s3, versioned):
    client = make_client(config={"max_pool_connections": 8})
    put(s3, versioned, "counter", b"0")

    def increment(_):
        while True:
            got = client.get_object(Bucket=versioned, Key="counter")
            value = int(got["Body"].read()) + 1
            try:
                client.put_object(Bucket=versioned, Key="counter", Body=str(value).encode(), IfMatch=got["ETag"])
                return
            except client.exceptions.ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412), error.response

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(40)))
    assert s3.get_object(Bucket=versioned, Key="counter")["Body"].read() == b"40"
    assert len(listed(s3, versioned)[0]) == 41


def test_conditions_see_through_markers(s3, versioned):
    put(s3, versioned, "k", b"1", IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        put(s3, versioned, "k", b"2", IfNoneMatch="*")
    s3.delete_object(Bucket=versioned, Key="k")
    put(s3, versioned, "k", b"3", IfNoneMatch="*")
    assert len(listed(s3, versioned)[0]) == 2
