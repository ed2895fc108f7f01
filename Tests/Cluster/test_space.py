"""Content that nothing refers to any more gives its space back, and only that."""
import concurrent.futures
import hashlib
import http.client
import pathlib
import shutil
import tempfile

import botocore.auth
import botocore.awsrequest
import botocore.exceptions
import pytest
from conftest import Cluster, stop_cluster, wait_until

MIB = 1 << 20
GRACE_SECONDS = 3


@pytest.fixture(scope="module")
def cluster():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="martlet-space-"))
    try:
        made = Cluster(folder, "--set", f'repair.release_grace={GRACE_SECONDS}s', "--set", "repair.release_interval=1s")
        made.s3().create_bucket(Bucket="box")
        yield made
    finally:
        stop_cluster(folder)
        shutil.rmtree(folder, ignore_errors=True)


def content(seed, size):
    return hashlib.shake_128(str(seed).encode()).digest(size)


def live_bytes(cluster):
    """What the three nodes hold that is not garbage."""
    return sum(disk["active_size"] for i in (1, 2, 3) for disk in cluster.adm("du", f"storage-{i}")["disks"])


def settles_at(cluster, mebibytes, what):
    """Live bytes come to so much content, in three copies; records and heads take less than a MiB in all."""
    wait_until(f"{what}: {mebibytes} MiB in three copies", lambda: (
        3 * mebibytes * MIB <= live_bytes(cluster) < 3 * mebibytes * MIB + MIB), 60, 0.5)


@pytest.fixture
def s3(cluster):
    client = cluster.s3()
    yield client
    for entry in client.list_objects_v2(Bucket="box").get("Contents", []):
        client.delete_object(Bucket="box", Key=entry["Key"])
    for upload in client.list_multipart_uploads(Bucket="box").get("Uploads", []):
        client.abort_multipart_upload(Bucket="box", Key=upload["Key"], UploadId=upload["UploadId"])
    settles_at(cluster, 0, "the empty bucket")


def test_overwritten_and_deleted_objects(cluster, s3):
    s3.put_object(Bucket="box", Key="a", Body=content(1, 5 * MIB))
    settles_at(cluster, 5, "one object")
    s3.put_object(Bucket="box", Key="a", Body=content(2, 3 * MIB + 1))
    wait_until("the first content to go", lambda: live_bytes(cluster) < 3 * 4 * MIB, 60, 0.5)
    assert s3.get_object(Bucket="box", Key="a")["Body"].read() == content(2, 3 * MIB + 1)
    s3.delete_object(Bucket="box", Key="a")
    settles_at(cluster, 0, "no object")


def test_an_upload_that_was_aborted_replaced_or_left_out(cluster, s3):
    upload = s3.create_multipart_upload(Bucket="box", Key="m")["UploadId"]
    part = dict(Bucket="box", Key="m", UploadId=upload)
    s3.upload_part(**part, PartNumber=1, Body=content("old", 6 * MIB))
    etag = s3.upload_part(**part, PartNumber=1, Body=content("new", 6 * MIB))["ETag"]
    s3.upload_part(**part, PartNumber=2, Body=content("unused", 5 * MIB))
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    settles_at(cluster, 6, "the part that counts")
    assert s3.get_object(Bucket="box", Key="m")["Body"].read() == content("new", 6 * MIB)
    upload = s3.create_multipart_upload(Bucket="box", Key="m")["UploadId"]
    s3.upload_part(Bucket="box", Key="m", UploadId=upload, PartNumber=1, Body=content("aborted", 6 * MIB))
    s3.abort_multipart_upload(Bucket="box", Key="m", UploadId=upload)
    settles_at(cluster, 6, "the object without the aborted upload")
    assert s3.get_object(Bucket="box", Key="m")["Body"].read() == content("new", 6 * MIB)


def half_put(cluster, key, size, sent):
    """A signed PUT whose client goes away in the middle of the body."""
    request = botocore.awsrequest.AWSRequest(
        "PUT", f"{cluster.endpoint}/box/{key}", headers={"Content-Length": str(size), "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    credentials = cluster.s3()._request_signer._credentials
    botocore.auth.S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(cluster.endpoint.removeprefix("http://"), timeout=120)
    connection.putrequest("PUT", f"/box/{key}", skip_host=False)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(content(key, sent))
    connection.close()


def test_failed_uploads(cluster, s3):
    before = live_bytes(cluster)
    for number in range(3):
        half_put(cluster, f"gone-{number}", 50 * MIB, 10 * MIB)
    s3.put_object(Bucket="box", Key="c", Body=b"there")
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="box", Key="c", Body=content("refused", 8 * MIB), IfNoneMatch="*")
    with pytest.raises(botocore.exceptions.ClientError, match="BadDigest|InvalidDigest"):
        s3.put_object(Bucket="box", Key="c", Body=content("wrong", 8 * MIB), ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    # Dropped at once: nothing has to wait for the grace of released content.
    wait_until("the failed uploads to go", lambda: live_bytes(cluster) < before + MIB, 60, 0.5)
    assert s3.get_object(Bucket="box", Key="c")["Body"].read() == b"there"


def test_readers_of_an_object_that_is_overwritten_get_one_version_whole(cluster, s3):
    versions = [content(("v", i), 8 * MIB + i) for i in range(6)]
    known = {hashlib.md5(v).hexdigest() for v in versions}
    s3.put_object(Bucket="box", Key="r", Body=versions[0])
    slow = s3.get_object(Bucket="box", Key="r")["Body"]
    first = slow.read(MIB)

    def read(_):
        return hashlib.md5(cluster.s3().get_object(Bucket="box", Key="r")["Body"].read()).hexdigest()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(read, i) for i in range(24)]
        for version in versions[1:]:
            s3.put_object(Bucket="box", Key="r", Body=version)
        assert {r.result() for r in reads} <= known
    # Within the grace the content that the slow reader began with is still there.
    assert first + slow.read() == versions[0]
    wait_until("the old versions to go", lambda: live_bytes(cluster) < 3 * 9 * MIB, 60, 0.5)
    assert read(0) == hashlib.md5(versions[-1]).hexdigest()
