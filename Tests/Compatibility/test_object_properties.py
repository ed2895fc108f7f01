import base64
import concurrent.futures
import datetime
import hashlib
import zlib

import pytest

from conftest import MIB, make_client, md5, pattern, refused

ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


# Tags

def as_set(tags):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def test_tags(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"x", Tagging="a=1&b=two%20words&c=+")
    assert s3.get_object_tagging(**where)["TagSet"] == as_set({"a": "1", "b": "two words", "c": " "})["TagSet"]
    assert s3.get_object(**where)["TagCount"] == 3
    s3.put_object_tagging(**where, Tagging=as_set({"ü": "日本"}))
    assert s3.get_object_tagging(**where)["TagSet"] == as_set({"ü": "日本"})["TagSet"]
    s3.delete_object_tagging(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    assert "TagCount" not in s3.get_object(**where)
    with refused("NoSuchKey", 404):
        s3.get_object_tagging(Bucket=bucket, Key="none")
    with refused("NoSuchKey", 404):
        s3.put_object_tagging(Bucket=bucket, Key="none", Tagging=as_set({"a": "b"}))


@pytest.mark.parametrize("tags", [
    {str(number): "v" for number in range(11)}, {"k" * 129: "v"}, {"k": "v" * 257}, {"a": "<>"},
    {"aws:x": "v"}])
def test_tags_that_are_not_allowed(s3, bucket, tags):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("InvalidTag", 400):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=as_set(tags))
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


@pytest.mark.parametrize("header, code", [
    ("a=1&a=2", "InvalidArgument"), ("a=%", "InvalidArgument"), ("=1", "InvalidTag"), ("aws:a=1", "InvalidTag"),
    ("&".join(f"k{number}=1" for number in range(11)), "InvalidTag")])
def test_tags_of_a_header_that_are_not_allowed(s3, bucket, header, code):
    with refused(code, 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging=header)


@pytest.mark.parametrize("count", [1, 10])
def test_tags_at_their_limits(s3, bucket, count):
    tags = {f"{number}".rjust(128, "k"): "v" * 256 for number in range(count)}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=as_set(tags))
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == as_set(tags)["TagSet"]


def test_tags_of_copies_and_uploads(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="other", CopySource=source, TaggingDirective="REPLACE", Tagging="b=2")
    assert s3.get_object_tagging(Bucket=bucket, Key="same")["TagSet"] == as_set({"a": "1"})["TagSet"]
    assert s3.get_object_tagging(Bucket=bucket, Key="other")["TagSet"] == as_set({"b": "2"})["TagSet"]
    with refused("InvalidArgument", 400):
        s3.copy_object(Bucket=bucket, Key="bad", CopySource=source, TaggingDirective="MERGE")
    where = {"Bucket": bucket, "Key": "big"}
    upload = s3.create_multipart_upload(**where, Tagging="c=3")["UploadId"]
    etag = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        **where, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert s3.get_object_tagging(**where)["TagSet"] == as_set({"c": "3"})["TagSet"]


# Attributes

ATTRIBUTES = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


def test_attributes(s3, bucket):
    data = pattern(1000)
    s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm="SHA256", StorageClass="STANDARD_IA")
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ATTRIBUTES)
    assert (got["ETag"], got["ObjectSize"], got["StorageClass"]) == (md5(data), 1000, "STANDARD_IA")
    assert got["Checksum"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert got["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert "ObjectParts" not in got
    only = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in only and only["ObjectSize"] == 1000
    with refused("NoSuchKey", 404):
        s3.get_object_attributes(Bucket=bucket, Key="none", ObjectAttributes=["ETag"])
    with refused("InvalidArgument", 400):
        s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Everything"])


@pytest.mark.parametrize("checksum", [None, "CRC32", "SHA256"])
def test_attributes_of_parts(s3, bucket, checksum):
    where = {"Bucket": bucket, "Key": "k"}
    options = {"ChecksumAlgorithm": checksum} if checksum else {}
    upload = s3.create_multipart_upload(**where, **options)["UploadId"]
    parts = []
    plain = make_client(config={"request_checksum_calculation": "when_required"})
    for number in (2, 5, 9):
        made = (s3 if checksum else plain).upload_part(
            **where, UploadId=upload, PartNumber=number, Body=pattern(5 * MIB if number < 9 else 7), **options)
        parts.append({"PartNumber": number, "ETag": made["ETag"]} | {
            key: value for key, value in made.items() if checksum and key == f"Checksum{checksum}"})
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    whole = s3.get_object_attributes(**where, ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert whole["TotalPartsCount"] == 3
    if not checksum:
        assert "Parts" not in whole
        return
    assert [part["Size"] for part in whole["Parts"]] == [5 * MIB, 5 * MIB, 7]
    assert all(part[f"Checksum{checksum}"] for part in whole["Parts"])
    seen, marker = [], 0
    while True:
        page = s3.get_object_attributes(
            **where, ObjectAttributes=["ObjectParts"], MaxParts=1, PartNumberMarker=marker)["ObjectParts"]
        seen += [part["PartNumber"] for part in page["Parts"]]
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert seen == [1, 2, 3]


# Conditions on deletes

def test_conditional_delete(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(**where, Body=b"x")["ETag"]
    modified = s3.head_object(**where)["LastModified"]
    with refused("PreconditionFailed", 412):
        s3.delete_object(**where, IfMatch='"0"')
    with refused("PreconditionFailed", 412):
        s3.delete_object(**where, IfMatchSize=2)
    with refused("PreconditionFailed", 412):
        s3.delete_object(**where, IfMatchLastModifiedTime=modified - datetime.timedelta(seconds=5))
    assert s3.get_object(**where)["Body"].read() == b"x"
    s3.delete_object(**where, IfMatch=etag, IfMatchSize=1, IfMatchLastModifiedTime=modified)
    with refused("NoSuchKey", 404):
        s3.delete_object(**where, IfMatch=etag)
    s3.delete_object(**where, IfMatchSize=1)


def test_conditional_delete_of_many(s3, bucket):
    etags = {key: s3.put_object(Bucket=bucket, Key=key, Body=key.encode())["ETag"] for key in "abc"}
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": "a", "ETag": etags["a"]}, {"Key": "b", "ETag": etags["a"]}, {"Key": "c", "Size": 7}]})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a"]
    assert {entry["Key"]: entry["Code"] for entry in answer["Errors"]} == {
        "b": "PreconditionFailed", "c": "PreconditionFailed"}


def test_fifty_create_one_key(bucket):
    clients = [make_client() for _ in range(10)]

    def create(number):
        try:
            clients[number % 10].put_object(Bucket=bucket, Key="race", Body=str(number).encode(), IfNoneMatch="*")
            return number
        except clients[0].exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412), error.response
            return None

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        winners = [number for number in pool.map(create, range(50)) if number is not None]
    assert len(winners) == 1
    assert clients[0].get_object(Bucket=bucket, Key="race")["Body"].read() == str(winners[0]).encode()


# Checksums

@pytest.mark.parametrize("algorithm,value", [
    ("CRC32", base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()), ("CRC32C", "mnG7TA=="),
    ("CRC64NVME", "M3eFcAZSQlc="), ("SHA1", base64.b64encode(hashlib.sha1(b"hello").digest()).decode()),
    ("SHA256", base64.b64encode(hashlib.sha256(b"hello").digest()).decode())])
def test_checksums_by_header(s3, bucket, algorithm, value):
    where = {"Bucket": bucket, "Key": "k"}
    put = s3.put_object(**where, Body=b"hello", **{f"Checksum{algorithm}": value})
    assert (put[f"Checksum{algorithm}"], put["ChecksumType"]) == (value, "FULL_OBJECT")
    assert s3.head_object(**where, ChecksumMode="ENABLED")[f"Checksum{algorithm}"] == value
    assert f"Checksum{algorithm}" not in s3.head_object(**where)
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == [algorithm]
    with refused("BadDigest", 400):
        s3.put_object(**where, Body=b"hallo", **{f"Checksum{algorithm}": value})
    with refused("InvalidRequest", 400):
        s3.put_object(**where, Body=b"hello", **{f"Checksum{algorithm}": "bad"})
    assert s3.get_object(**where)["Body"].read() == b"hello"


UPLOADS = [(algorithm, kind) for algorithm in ALGORITHMS for kind in ("COMPOSITE", "FULL_OBJECT")]


@pytest.mark.parametrize("algorithm,kind", UPLOADS)
def test_checksums_of_uploads(s3, bucket, algorithm, kind):
    if algorithm in ("CRC32C", "CRC64NVME"):
        pytest.importorskip("awscrt")
    where = {"Bucket": bucket, "Key": "k"}
    options = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    if kind == ("FULL_OBJECT" if algorithm.startswith("SHA") else "COMPOSITE" if algorithm == "CRC64NVME" else None):
        with refused("InvalidRequest", 400):
            s3.create_multipart_upload(**where, **options)
        return
    made = s3.create_multipart_upload(**where, **options)
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == (algorithm, kind)
    parts, datas = [], [pattern(5 * MIB, 1), pattern(11, 2)]
    for number, data in enumerate(datas, 1):
        part = s3.upload_part(
            **where, UploadId=made["UploadId"], PartNumber=number, Body=data, ChecksumAlgorithm=algorithm)
        parts.append({
            "PartNumber": number, "ETag": part["ETag"], f"Checksum{algorithm}": part[f"Checksum{algorithm}"]})
    wrong = [dict(part, **{f"Checksum{algorithm}": parts[0][f"Checksum{algorithm}"]}) for part in parts]
    with refused("InvalidPart", 400):
        s3.complete_multipart_upload(**where, UploadId=made["UploadId"], MultipartUpload={"Parts": wrong})
    done = s3.complete_multipart_upload(**where, UploadId=made["UploadId"], MultipartUpload={"Parts": parts})
    assert done["ChecksumType"] == kind
    assert done[f"Checksum{algorithm}"].endswith("-2") == (kind == "COMPOSITE")
    if algorithm == "CRC32" and kind == "FULL_OBJECT":
        whole = zlib.crc32(b"".join(datas)).to_bytes(4, "big")
        assert done["ChecksumCRC32"] == base64.b64encode(whole).decode()
    head = s3.head_object(**where, ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == done[f"Checksum{algorithm}"]
    second = s3.get_object(**where, PartNumber=2)
    assert (second["Body"].read(), second["PartsCount"]) == (datas[1], 2)


def test_a_part_of_another_checksum(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")["UploadId"]
    with refused("InvalidRequest", 400):
        s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA1")


@pytest.mark.parametrize("options", [{"MpuObjectSize": 2}, {"ChecksumType": "COMPOSITE"}])
def test_what_is_said_of_the_whole(s3, bucket, options):
    where = {"Bucket": bucket, "Key": "k"}
    made = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    part = s3.upload_part(
        **where, UploadId=made["UploadId"], PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}
    with refused("InvalidRequest", 400):
        s3.complete_multipart_upload(**where, UploadId=made["UploadId"], MultipartUpload=parts, **options)
    s3.complete_multipart_upload(
        **where, UploadId=made["UploadId"], MultipartUpload=parts, MpuObjectSize=1, ChecksumType="FULL_OBJECT")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_of_copies(s3, bucket, algorithm):
    data = pattern(2 * MIB + 1)
    s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm="SHA256")
    source = {"Bucket": bucket, "Key": "k"}
    same = s3.copy_object(Bucket=bucket, Key="same", CopySource=source)["CopyObjectResult"]
    assert same["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    s3.copy_object(Bucket=bucket, Key="other", CopySource=source, ChecksumAlgorithm=algorithm)
    expected = s3.put_object(Bucket=bucket, Key="put", Body=data, ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket=bucket, Key="other", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == expected[f"Checksum{algorithm}"]
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="bad", CopySource=source, ChecksumAlgorithm="MD4")


# Whose bucket

def test_expected_owner(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    owner = s3.list_buckets()["Owner"]["ID"]
    assert s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=owner)["Body"].read() == b"x"
    for call in (s3.get_object, s3.head_object, s3.delete_object):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            call(Bucket=bucket, Key="k", ExpectedBucketOwner="somebody")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


# Copies

@pytest.mark.parametrize("change", [
    {"MetadataDirective": "REPLACE", "Metadata": {"n": "w"}}, {"StorageClass": "STANDARD_IA"},
    {"MetadataDirective": "REPLACE", "ContentType": "a/b"}])
def test_a_copy_onto_itself_changes_something(s3, bucket, change):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "b"})
    s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"}, **change)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize("source,code,status", [
    ("nothing", "InvalidArgument", 400), ("/", "InvalidArgument", 400),
    ("no-such-bucket-here/k", "NoSuchBucket", 404)])
def test_sources_that_are_none(s3, bucket, source, code, status):
    with refused(code, status):
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source)


@pytest.mark.parametrize("header,good", [
    ("IfMatch", True), ("IfMatch", False), ("IfNoneMatch", True), ("IfNoneMatch", False),
    ("IfModifiedSince", True), ("IfModifiedSince", False), ("IfUnmodifiedSince", True), ("IfUnmodifiedSince", False)])
def test_conditions_on_the_source(s3, bucket, header, good):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    day = datetime.timedelta(days=1)
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    value = {
        "IfMatch": (etag, '"0"'), "IfNoneMatch": ('"0"', etag), "IfModifiedSince": (modified - day, modified + day),
        "IfUnmodifiedSince": (modified + day, modified - day)}[header][0 if good else 1]
    options = dict(
        Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"}, **{f"CopySource{header}": value})
    if good:
        s3.copy_object(**options)
        return
    with refused("PreconditionFailed", 412):
        s3.copy_object(**options)
