import base64
import concurrent.futures
import hashlib
import io

import pytest

from conftest import MIB, make_client, md5, pattern, refused


@pytest.mark.parametrize("size", [0, 1, 4096, MIB - 1, MIB, MIB + 1, 5 * MIB + 3])
def test_content_comes_back(s3, bucket, size):
    data = pattern(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert put["ETag"] == f'"{md5(data)}"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == data
    assert (got["ETag"], got["ContentLength"]) == (put["ETag"], size)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ETag"], head["ContentLength"]) == (put["ETag"], size)
    assert head["LastModified"] == got["LastModified"]


def test_headers_and_metadata(s3, bucket):
    given = dict(
        ContentType="text/x-test", CacheControl="no-cache", ContentDisposition='attachment; filename="a"',
        ContentEncoding="gzip", ContentLanguage="de", StorageClass="STANDARD_IA")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"color": "Blue", "empty": ""}, **given)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert {name: head[name] for name in given} == given
    assert head["Metadata"] == {"color": "Blue", "empty": ""}
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="plain")["ContentType"] == "binary/octet-stream"


def test_metadata_limit(s3, bucket):
    with refused("MetadataTooLarge", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "x" * 2048})


@pytest.mark.parametrize("key", [
    "dir/", "a//b", "ü/日本語.txt", " leading", "trailing ", "a+b", "a%20b", "a?b", "a#b", "a&b=c", "..", "./x", "'\"<>",
    "x" * 1024, "\x01", "emoji-😀"])
def test_keys_are_any_text(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_key_that_is_too_long(s3, bucket):
    with refused("KeyTooLongError", 400):
        s3.put_object(Bucket=bucket, Key="x" * 1025, Body=b"")


def test_missing(s3, bucket):
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="none")
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key="none")
    with refused("NoSuchBucket", 404):
        s3.get_object(Bucket="no-such-bucket-here", Key="none")


def test_delete_is_idempotent(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for _ in range(2):
        assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")


def test_delete_many(s3, bucket):
    keys = [f"k{number}/ü" for number in range(50)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys + ["none"]]})
    assert [entry["Key"] for entry in answer["Deleted"]] == keys + ["none"]
    assert "Errors" not in answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="q", Body=b"")
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "q"}], "Quiet": True})
    assert "Deleted" not in quiet
    with refused("MalformedXML", 400):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(n)} for n in range(1001)]})


# Ranges

@pytest.mark.parametrize("size", [1000, 3 * MIB + 5])
def test_ranges(s3, bucket, size):
    data = pattern(size)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    middle = size // 2
    for header, expected in [
        ("bytes=0-0", data[:1]), ("bytes=10-19", data[10:20]), ("bytes=990-", data[990:]), ("bytes=-7", data[-7:]),
        (f"bytes=1-{size * 9}", data[1:]), (f"bytes={middle - 300}-{middle + 300}", data[middle - 300:middle + 301]),
    ]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=header)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["Body"].read() == expected
    with refused("InvalidRange", 416):
        s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={size}-")
    with refused("InvalidRange", 416):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=-0")
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=5-2")["ContentLength"] == size
    assert s3.head_object(Bucket=bucket, Key="k", Range="bytes=0-4")["ContentRange"] == f"bytes 0-4/{size}"


def test_response_overrides(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain")
    got = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="text/html", ResponseContentDisposition="inline",
        ResponseCacheControl="private", ResponseContentLanguage="fr", ResponseContentEncoding="identity")
    assert (got["ContentType"], got["ContentDisposition"]) == ("text/html", "inline")
    assert (got["CacheControl"], got["ContentLanguage"], got["ContentEncoding"]) == ("private", "fr", "identity")


# Conditions

def test_conditional_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)["Body"].read() == b"x"
    for method in (s3.get_object, s3.head_object):
        with refused("304", 304):
            method(Bucket=bucket, Key="k", IfNoneMatch=etag)
        with refused("304", 304):
            method(Bucket=bucket, Key="k", IfModifiedSince=modified)
    with refused("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="k", IfMatch='"0"')
    with refused("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="k", IfUnmodifiedSince="Sun, 06 Nov 1994 08:49:37 GMT")


def test_conditional_writes(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch='"0"')
    s3.put_object(Bucket=bucket, Key="k", Body=b"4", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"4"
    with refused("NoSuchKey", 404):
        s3.put_object(Bucket=bucket, Key="absent", Body=b"5", IfMatch=etag)


def test_one_of_many_creates(bucket):
    def create(number):
        client = make_client()
        try:
            client.put_object(Bucket=bucket, Key="race", Body=str(number).encode(), IfNoneMatch="*")
            return number
        except client.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (412, 409), error.response
            return None

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        winners = [number for number in pool.map(create, range(10)) if number is not None]
    assert len(winners) == 1
    assert make_client().get_object(Bucket=bucket, Key="race")["Body"].read() == str(winners[0]).encode()


# Integrity

def test_content_md5(s3, bucket):
    right = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=right)
    wrong = base64.b64encode(hashlib.md5(b"y").digest()).decode()
    with refused("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="bad", Body=b"x", ContentMD5=wrong)
    with refused("InvalidDigest", 400):
        s3.put_object(Bucket=bucket, Key="bad", Body=b"x", ContentMD5="AAAA")
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="bad")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums(s3, bucket, algorithm):
    data = pattern(2 * MIB)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == data
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert f"Checksum{algorithm}" not in make_client(
        config={"response_checksum_validation": "when_required"}).get_object(Bucket=bucket, Key="k")


def test_wrong_checksum(s3, bucket):
    with refused("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="bad", Body=b"x", ChecksumCRC32="AAAAAA==")
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="bad")


def test_a_stream_of_unknown_hash(s3, bucket):
    """boto3 sends a file with a trailing checksum and an unsigned payload, or signed, by scheme."""
    data = pattern(3 * MIB + 1)
    s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(data))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


def test_empty_bodies_on_one_connection(s3, bucket):
    """boto3 waits for a continuation even then, and takes a final answer in its place for the next one as well."""
    client = make_client(config={"max_pool_connections": 1, "read_timeout": 10})
    for _ in range(3):
        client.put_object(Bucket=bucket, Key="empty", Body=b"")
        client.put_object(Bucket=bucket, Key="full", Body=b"x")
        with refused("InvalidArgument"):
            client.upload_part(Bucket=bucket, Key="k", UploadId="0" * 32, PartNumber=10_001, Body=b"")


# Copies

def test_copy(s3, bucket):
    data = pattern(2 * MIB + 9)
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=data, Metadata={"k": "v"}, ContentType="x/y")
    answer = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b/ü"})
    assert answer["CopyObjectResult"]["ETag"] == f'"{md5(data)}"'
    s3.delete_object(Bucket=bucket, Key="a b/ü")
    got = s3.get_object(Bucket=bucket, Key="copy")
    assert got["Body"].read() == data
    assert (got["Metadata"], got["ContentType"]) == ({"k": "v"}, "x/y")


def test_copy_replaces_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"k": "v"})
    source = {"Bucket": bucket, "Key": "k"}
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "w"})
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (b"x", {"n": "w"})


def test_copy_conditions_and_bad_sources(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    source = {"Bucket": bucket, "Key": "k"}
    with refused("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="c", CopySource=source, CopySourceIfMatch='"0"')
    with refused("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="c", CopySource=source, CopySourceIfNoneMatch=etag)
    s3.copy_object(Bucket=bucket, Key="c", CopySource=source, CopySourceIfMatch=etag)
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "none"})
    with refused("NoSuchBucket", 404):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": "no-such-bucket-here", "Key": "k"})
