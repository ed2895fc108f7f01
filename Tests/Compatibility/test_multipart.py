import concurrent.futures
import hashlib

import boto3.s3.transfer
import pytest

from conftest import LARGE_MB, MIB, md5, pattern, refused


class Upload:
    def __init__(self, s3, bucket, key="big", **options):
        self.s3, self.where = s3, {"Bucket": bucket, "Key": key}
        self.id = s3.create_multipart_upload(**self.where, **options)["UploadId"]

    def put(self, number, data, **options):
        return self.s3.upload_part(**self.where, UploadId=self.id, PartNumber=number, Body=data, **options)["ETag"]

    def complete(self, parts, **options):
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return self.s3.complete_multipart_upload(
            **self.where, UploadId=self.id, MultipartUpload={"Parts": listed}, **options)

    def abort(self):
        return self.s3.abort_multipart_upload(**self.where, UploadId=self.id)


def etag_of(parts):
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    return f'"{digest}-{len(parts)}"'


def test_parts_become_one_object(s3, bucket):
    upload = Upload(s3, bucket, Metadata={"k": "v"}, ContentType="x/y")
    parts = [pattern(5 * MIB, 1), pattern(6 * MIB + 1, 2), pattern(100, 3)]
    etags = {}
    for number in (7, 2, 5):
        etags[number] = upload.put(number, parts[(2, 5, 7).index(number)])
    with refused("NoSuchKey"):
        s3.get_object(**upload.where)
    answer = upload.complete(sorted(etags.items()))
    assert answer["ETag"] == etag_of(parts)
    got = s3.get_object(**upload.where)
    whole = b"".join(parts)
    assert got["Body"].read() == whole
    assert (got["ETag"], got["Metadata"], got["ContentType"]) == (etag_of(parts), {"k": "v"}, "x/y")
    range_ = s3.get_object(**upload.where, Range=f"bytes={5 * MIB - 10}-{5 * MIB + 9}")
    assert range_["Body"].read() == whole[5 * MIB - 10:5 * MIB + 10]
    second = s3.get_object(**upload.where, PartNumber=2)
    assert second["Body"].read() == parts[1]
    assert second["PartsCount"] == 3
    assert upload.complete(sorted(etags.items()))["ETag"] == etag_of(parts)  # a repetition
    with refused("NoSuchUpload", 404):
        upload.put(1, b"late")


def test_what_does_not_fit_is_refused(s3, bucket):
    upload = Upload(s3, bucket)
    one, two = upload.put(1, b"one"), upload.put(2, b"two")
    with refused("EntityTooSmall", 400):
        upload.complete([(1, one), (2, two)])
    with refused("InvalidPart", 400):
        upload.complete([(1, two)])
    with refused("InvalidPart", 400):
        upload.complete([(9, one)])
    with refused("InvalidPartOrder", 400):
        upload.complete([(2, two), (1, one)])
    with refused("MalformedXML", 400):
        upload.complete([])
    with refused("InvalidArgument", 400):
        upload.put(10_001, b"")
    replaced = upload.put(1, b"new one")
    with refused("InvalidPart", 400):
        upload.complete([(1, one)])
    upload.complete([(1, replaced)])
    assert s3.get_object(**upload.where)["Body"].read() == b"new one"


def test_abort(s3, bucket):
    upload = Upload(s3, bucket)
    etag = upload.put(1, b"x")
    assert upload.abort()["ResponseMetadata"]["HTTPStatusCode"] == 204
    for late in (upload.abort, lambda: upload.complete([(1, etag)]), lambda: upload.put(1, b"x"),
                 lambda: s3.list_parts(**upload.where, UploadId=upload.id)):
        with refused("NoSuchUpload", 404):
            late()
    with refused("NoSuchKey"):
        s3.get_object(**upload.where)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_an_upload_leaves_the_object_alone(s3, bucket):
    s3.put_object(Bucket=bucket, Key="big", Body=b"old")
    upload = Upload(s3, bucket)
    upload.put(1, b"new")
    assert s3.get_object(**upload.where)["Body"].read() == b"old"
    upload.abort()
    assert s3.get_object(**upload.where)["Body"].read() == b"old"


def test_complete_and_abort_race(s3, bucket):
    for round_ in range(5):
        upload = Upload(s3, bucket, key=f"race-{round_}")
        etag = upload.put(1, b"x")

        def attempt(action):
            try:
                action()
                return True
            except s3.exceptions.ClientError:
                return False

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            completed = pool.submit(attempt, lambda: upload.complete([(1, etag)]))
            aborted = pool.submit(attempt, upload.abort)
            assert completed.result() != aborted.result()
        exists = s3.list_objects_v2(Bucket=bucket, Prefix=f"race-{round_}")["KeyCount"] == 1
        assert exists == completed.result()


def test_conditional_completion(s3, bucket):
    s3.put_object(Bucket=bucket, Key="big", Body=b"old")
    upload = Upload(s3, bucket)
    etag = upload.put(1, b"new")
    with refused("PreconditionFailed", 412):
        upload.complete([(1, etag)], IfNoneMatch="*")
    assert s3.get_object(**upload.where)["Body"].read() == b"old"
    upload.complete([(1, etag)])


def test_part_copy(s3, bucket):
    data = pattern(7 * MIB)
    s3.put_object(Bucket=bucket, Key="source ü", Body=data)
    source = {"Bucket": bucket, "Key": "source ü"}
    upload = Upload(s3, bucket)
    common = dict(**upload.where, UploadId=upload.id, CopySource=source)
    whole = s3.upload_part_copy(**common, PartNumber=1)["CopyPartResult"]["ETag"]
    part = s3.upload_part_copy(**common, PartNumber=2, CopySourceRange=f"bytes={MIB - 5}-{3 * MIB}")["CopyPartResult"]["ETag"]
    with refused("InvalidArgument", 400):
        s3.upload_part_copy(**common, PartNumber=3, CopySourceRange=f"bytes=0-{7 * MIB}")
    upload.complete([(1, whole), (2, part)])
    assert s3.get_object(**upload.where)["Body"].read() == data + data[MIB - 5:3 * MIB + 1]


def test_lists(s3, bucket):
    upload = Upload(s3, bucket, key="b/1")
    for number in (1, 2, 300):
        upload.put(number, b"x" * number)
    pages = list(s3.get_paginator("list_parts").paginate(
        **upload.where, UploadId=upload.id, PaginationConfig={"PageSize": 2}))
    listed = [(part["PartNumber"], part["Size"]) for page in pages for part in page["Parts"]]
    assert (listed, len(pages)) == ([(1, 1), (2, 2), (300, 300)], 2)
    others = [Upload(s3, bucket, key=key) for key in ("a", "b/2", "a")]
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [entry["Key"] for entry in rolled["Uploads"]] == ["a", "a"]
    assert [entry["Prefix"] for entry in rolled["CommonPrefixes"]] == ["b/"]
    seen = [
        entry["UploadId"] for page in s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 1}) for entry in page["Uploads"]]
    assert sorted(seen) == sorted([upload.id] + [one.id for one in others])


@pytest.mark.parametrize("algorithm, type_", [
    ("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE"), ("CRC32", "FULL_OBJECT")])
def test_checksums(s3, bucket, algorithm, type_):
    upload = Upload(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=type_)
    parts = [pattern(5 * MIB, 1), pattern(1000, 2)]
    listed = []
    for number, data in enumerate(parts, 1):
        answer = s3.upload_part(
            **upload.where, UploadId=upload.id, PartNumber=number, Body=data, ChecksumAlgorithm=algorithm)
        name = f"Checksum{algorithm}"
        listed.append({"PartNumber": number, "ETag": answer["ETag"], name: answer[name]})
    done = s3.complete_multipart_upload(**upload.where, UploadId=upload.id, MultipartUpload={"Parts": listed})
    got = s3.get_object(**upload.where, ChecksumMode="ENABLED")
    assert got["Body"].read() == b"".join(parts)
    assert got[f"Checksum{algorithm}"] == done[f"Checksum{algorithm}"]
    assert got["ChecksumType"] == type_


def test_large_file_by_transfer_manager(s3, bucket, tmp_path):
    path, back = tmp_path / "large", tmp_path / "back"
    size = LARGE_MB * 1_000_000
    with path.open("wb") as file:
        for number in range(0, size, MIB):
            file.write(pattern(min(MIB, size - number), number))
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=15 * MIB, max_concurrency=4)
    s3.upload_file(str(path), bucket, "large", Config=config)
    s3.download_file(bucket, "large", str(back), Config=config)
    hashes = [hashlib.file_digest(file.open("rb"), "md5").hexdigest() for file in (path, back)]
    assert hashes[0] == hashes[1]
    assert s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == size
    assert md5(b"") != hashes[0]
