"""Server-side encryption: SSE-S3, SSE-KMS, SSE-C; defaults, ranges, multipart, copies, what is wrong."""
import base64
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import subprocess
import uuid

import pytest

from conftest import MIB, pattern, refused

SIZES = [0, 1, 100, 65519, 65520, 65521, 131040, MIB - 256, MIB, 3 * MIB + 17]


def admin(*arguments):
    program = pathlib.Path(os.environ["MARTLET_BIN"]) / "martlet-adm"
    done = subprocess.run([program, "--json", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def named_key():
    name = f"key-{uuid.uuid4().hex[:8]}"
    admin("create-encryption-key", name)
    return name


KEY, OTHER_KEY = "0123456789abcdef" * 2, "another key of 32 bytes, no more."[:32]


KEY_MD5 = base64.b64encode(hashlib.md5(KEY.encode()).digest()).decode()


def customer(key=KEY, copy_source=False):
    """botocore encodes the key and adds its digest."""
    prefix = "CopySourceSSECustomer" if copy_source else "SSECustomer"
    return {f"{prefix}Algorithm": "AES256", f"{prefix}Key": key}


def put_options(mode, named_key):
    return {
        "none": {}, "s3": {"ServerSideEncryption": "AES256"}, "kms": {"ServerSideEncryption": "aws:kms"},
        "named": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": named_key}, "c": customer()}[mode]


def get_options(mode):
    return customer() if mode == "c" else {}


def check_headers(answer, mode, named_key):
    assert answer.get("ServerSideEncryption") == {"s3": "AES256", "kms": "aws:kms", "named": "aws:kms"}.get(mode)
    assert answer.get("SSEKMSKeyId") == {"kms": "aws/s3", "named": named_key}.get(mode)
    assert answer.get("SSECustomerAlgorithm") == ("AES256" if mode == "c" else None)
    assert answer.get("SSECustomerKeyMD5") == (KEY_MD5 if mode == "c" else None)


MODES = ["none", "s3", "kms", "named", "c"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES[1:])
def test_objects_of_all_sizes(s3, bucket, named_key, mode, size):
    data = pattern(size)
    check_headers(s3.put_object(Bucket=bucket, Key="k", Body=data, **put_options(mode, named_key)), mode, named_key)
    answer = s3.get_object(Bucket=bucket, Key="k", **get_options(mode))
    assert answer["Body"].read() == data and answer["ContentLength"] == size
    check_headers(answer, mode, named_key)
    head = s3.head_object(Bucket=bucket, Key="k", **get_options(mode))
    check_headers(head, mode, named_key)
    assert head["ContentLength"] == size and head["ETag"] == answer["ETag"]
    assert (head["ETag"].strip('"') == hashlib.md5(data).hexdigest()) == (mode == "s3")
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == size


RANGES = ["bytes=0-0", "bytes=65519-65520", "bytes=65520-65520", "bytes=1000-200000", "bytes=1048300-1048700",
          "bytes=3145700-", "bytes=-1", "bytes=-70000", "bytes=0-9999999"]


@pytest.mark.parametrize("mode", MODES[1:])
def test_ranges(s3, bucket, named_key, mode):
    data = pattern(3 * MIB + 17)
    s3.put_object(Bucket=bucket, Key="k", Body=data, **put_options(mode, named_key))
    for text in RANGES:
        first, last = text[6:].split("-")
        wanted = data[-int(last):] if not first else data[int(first):int(last) + 1] if last else data[int(first):]
        answer = s3.get_object(Bucket=bucket, Key="k", Range=text, **get_options(mode))
        assert answer["Body"].read() == wanted, text
        check_headers(answer, mode, named_key)


def upload(s3, bucket, key, parts, **options):
    secret = {name: value for name, value in options.items() if name.startswith("SSECustomer")}
    made = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)
    done = []
    for number, data in enumerate(parts, 1):
        answer = s3.upload_part(
            Bucket=bucket, Key=key, UploadId=made["UploadId"], PartNumber=number, Body=data, **secret)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    finished = s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=made["UploadId"], MultipartUpload={"Parts": done})
    return made, finished


@pytest.mark.parametrize("mode", MODES[1:])
def test_multipart(s3, bucket, named_key, mode):
    parts = [pattern(5 * MIB, 1), pattern(5 * MIB + 1, 2), pattern(12345, 3)]
    made, finished = upload(s3, bucket, "k", parts, **put_options(mode, named_key))
    check_headers(made, mode, named_key)
    if mode != "c":
        check_headers(finished, mode, named_key)
    data = b"".join(parts)
    answer = s3.get_object(Bucket=bucket, Key="k", **get_options(mode))
    assert answer["Body"].read() == data
    for first, last in ((5 * MIB - 10, 5 * MIB + 10), (10 * MIB - 100, 10 * MIB + 200), (0, len(data) - 1)):
        part = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={first}-{last}", **get_options(mode))
        assert part["Body"].read() == data[first:last + 1]
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2, **get_options(mode))
    assert second["Body"].read() == parts[1]


@pytest.mark.parametrize("source, target", itertools.product(MODES, MODES))
def test_copies_from_any_to_any(s3, bucket, named_key, source, target):
    data = pattern(MIB + 333)
    s3.put_object(Bucket=bucket, Key="from", Body=data, **put_options(source, named_key))
    reading = customer(copy_source=True) if source == "c" else {}
    answer = s3.copy_object(
        Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"}, **reading,
        **put_options(target, named_key))
    check_headers(answer, target, named_key)
    assert s3.get_object(Bucket=bucket, Key="to", **get_options(target))["Body"].read() == data
    made = s3.create_multipart_upload(Bucket=bucket, Key="parts", **put_options(target, named_key))
    secret = customer() if target == "c" else {}
    part = s3.upload_part_copy(
        Bucket=bucket, Key="parts", UploadId=made["UploadId"], PartNumber=1, CopySourceRange="bytes=65000-200000",
        CopySource={"Bucket": bucket, "Key": "from"}, **reading, **secret)
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=made["UploadId"], MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]})
    copied = s3.get_object(Bucket=bucket, Key="parts", **get_options(target))["Body"].read()
    assert copied == data[65000:200001]


def test_a_copy_onto_itself_may_change_the_encryption(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    s3.copy_object(
        Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"}, ServerSideEncryption="AES256")
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


# What is wrong

def test_reading_with_the_wrong_key_or_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **customer())
    s3.put_object(Bucket=bucket, Key="plain", Body=b"open")
    with refused("InvalidRequest", 400):
        s3.get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        s3.get_object(Bucket=bucket, Key="k", **customer(OTHER_KEY))
    with refused("400", 400):
        s3.head_object(Bucket=bucket, Key="k")
    with refused("403", 403):
        s3.head_object(Bucket=bucket, Key="k", **customer(OTHER_KEY))
    with refused("InvalidRequest", 400):
        s3.get_object(Bucket=bucket, Key="plain", **customer())
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
    with refused("AccessDenied", 403):
        s3.copy_object(
            Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, **customer(OTHER_KEY, copy_source=True))


CUSTOMER = "x-amz-server-side-encryption-customer-"
GOOD = {CUSTOMER + "algorithm": "AES256", CUSTOMER + "key": base64.b64encode(KEY.encode()).decode(),
        CUSTOMER + "key-MD5": KEY_MD5}


@pytest.mark.parametrize("change, code", [
    ({CUSTOMER + "algorithm": None}, "InvalidArgument"), ({CUSTOMER + "algorithm": "AES128"}, "InvalidEncryptionAlgorithmError"),
    ({CUSTOMER + "key": None}, "InvalidArgument"), ({CUSTOMER + "key": "c2hvcnQ="}, "InvalidArgument"),
    ({CUSTOMER + "key": "?"}, "InvalidArgument"), ({CUSTOMER + "key-MD5": None}, "InvalidArgument"),
    ({CUSTOMER + "key-MD5": base64.b64encode(b"0" * 16).decode()}, "InvalidArgument"),
    ({"x-amz-server-side-encryption": "AES256"}, "InvalidArgument"),
    ({"x-amz-server-side-encryption": "aws:kms"}, "InvalidArgument")], ids=str)
def test_headers_of_customer_keys(server, bucket, change, code):
    headers = {name: value for name, value in (GOOD | change).items() if value is not None}
    signed = server.signed_headers(
        "PUT", f"/{bucket}/k", os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], headers, b"x")
    answer = server.send("PUT", f"/{bucket}/k", signed | {"Content-Length": "1"}, b"x")
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("options, code", [
    ({"ServerSideEncryption": "rot13"}, "InvalidArgument"), ({"SSEKMSKeyId": "x"}, "InvalidArgument"),
    ({"ServerSideEncryption": "AES256", "SSEKMSKeyId": "x"}, "InvalidArgument"),
    ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "no-such-key"}, "KMS.NotFoundException"),
    ({"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": "bm8ganNvbg=="}, "InvalidArgument")], ids=str)
def test_encryptions_that_do_not_exist(s3, bucket, options, code):
    with refused(code, 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **options)
    with refused(code, 400):
        s3.create_multipart_upload(Bucket=bucket, Key="k", **options)


def test_parts_need_the_key_of_their_upload(s3, bucket):
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", **customer())
    place = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"], "PartNumber": 1, "Body": b"x"}
    for options in ({}, customer(OTHER_KEY)):
        with refused("InvalidRequest", 400):
            s3.upload_part(**place, **options)
    plain = s3.create_multipart_upload(Bucket=bucket, Key="p")
    with refused("InvalidRequest", 400):
        s3.upload_part(**(place | {"Key": "p", "UploadId": plain["UploadId"]}), **customer())


def test_an_encryption_context_is_taken(s3, bucket):
    context = base64.b64encode(json.dumps({"purpose": "test"}).encode()).decode()
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSEncryptionContext=context,
        BucketKeyEnabled=True)
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert answer["Body"].read() == b"x" and answer["BucketKeyEnabled"] is True


# Named keys

def test_named_keys_are_rotated_and_disabled(s3, bucket):
    name = f"turning-{uuid.uuid4().hex[:8]}"
    admin("create-encryption-key", name)
    options = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": name}
    s3.put_object(Bucket=bucket, Key="old", Body=b"old", **options)
    admin("rotate-encryption-key", name)
    s3.put_object(Bucket=bucket, Key="new", Body=b"new", **options)
    for key in ("old", "new"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [k["versions"] for k in admin("get-encryption-keys")["keys"] if k["name"] == name] == [2]
    # A verb ends when gateways work with what it has changed.
    admin("disable-encryption-key", name)
    with refused("KMS.DisabledException", 400):
        s3.get_object(Bucket=bucket, Key="old")
    with refused("KMS.DisabledException", 400):
        s3.put_object(Bucket=bucket, Key="more", Body=b"x", **options)
    admin("enable-encryption-key", name)
    s3.get_object(Bucket=bucket, Key="old")


# The default of a bucket

def rule(algorithm, key=None):
    standard = {"SSEAlgorithm": algorithm} | ({"KMSMasterKeyID": key} if key else {})
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": standard, "BucketKeyEnabled": False}]}


def test_the_default_as_a_document(s3, bucket, named_key):
    with refused("ServerSideEncryptionConfigurationNotFoundError", 404):
        s3.get_bucket_encryption(Bucket=bucket)
    for made in (rule("AES256"), rule("aws:kms"), rule("aws:kms", named_key)):
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=made)
        assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == made
    with refused("MalformedXML", 400):
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rule("rot13"))
    with refused("InvalidArgument", 400):
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rule("AES256", named_key))
    with refused("KMS.NotFoundException", 400):
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rule("aws:kms", "no-such-key"))
    s3.delete_bucket_encryption(Bucket=bucket)
    with refused("ServerSideEncryptionConfigurationNotFoundError", 404):
        s3.get_bucket_encryption(Bucket=bucket)


@pytest.mark.parametrize("mode", ["s3", "kms", "named"])
def test_the_default_is_used(s3, bucket, named_key, mode):
    s3.put_object(Bucket=bucket, Key="before", Body=b"before")
    made = {"s3": rule("AES256"), "kms": rule("aws:kms"), "named": rule("aws:kms", named_key)}[mode]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=made)
    check_headers(s3.put_object(Bucket=bucket, Key="k", Body=b"x"), mode, named_key)
    check_headers(s3.get_object(Bucket=bucket, Key="k"), mode, named_key)
    upload(s3, bucket, "m", [b"part"])
    check_headers(s3.head_object(Bucket=bucket, Key="m"), mode, named_key)
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "before"})
    check_headers(s3.head_object(Bucket=bucket, Key="c"), mode, named_key)
    check_headers(s3.head_object(Bucket=bucket, Key="before"), "none", named_key)
    s3.put_object(Bucket=bucket, Key="own", Body=b"x", **customer())
    check_headers(s3.head_object(Bucket=bucket, Key="own", **customer()), "c", named_key)


@pytest.mark.parametrize("mode", ["s3", "kms", "named"])
def test_the_default_is_used_by_the_other_front(s3, demo, container, named_key, mode):
    """What comes by Swift is encrypted as the bucket wants; its entity tag stays the MD5, which Swift's clients compare."""
    made = {"s3": rule("AES256"), "kms": rule("aws:kms"), "named": rule("aws:kms", named_key)}[mode]
    s3.put_bucket_encryption(Bucket=container, ServerSideEncryptionConfiguration=made)
    for size in SIZES:
        data = pattern(size)
        assert demo.put(f"/{container}/k", data).headers["etag"] == hashlib.md5(data).hexdigest()
        got = demo.send("GET", f"/{container}/k")
        assert (got.body, got.headers["etag"]) == (data, hashlib.md5(data).hexdigest())
        assert demo.send("GET", f"/{container}/k", {"Range": "bytes=5-70000"}).body in (data[5:70001], b"") or size <= 5
        check_headers(s3.head_object(Bucket=container, Key="k"), mode, named_key)
        assert s3.get_object(Bucket=container, Key="k")["Body"].read() == data
    demo.put(f"/{container}/copy", X_Copy_From=f"/{container}/k")
    check_headers(s3.head_object(Bucket=container, Key="copy"), mode, named_key)
    assert demo.send("GET", f"/{container}/copy").body == data


def stored_files(data_folder):
    """The contents of what storage nodes keep; a file that goes while it is looked for is not one of them."""
    for folder, _, names in os.walk(data_folder):
        for path in (pathlib.Path(folder) / name for name in names if "storage" in folder):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    yield path.read_bytes()


def test_what_swift_stores_is_not_readable(s3, demo, container):
    data_folder = os.environ.get("MARTLET_DATA")
    if not data_folder:
        pytest.skip("MARTLET_DATA IS NOT SET: the disks of the cluster were not looked into")
    s3.put_bucket_encryption(Bucket=container, ServerSideEncryptionConfiguration=rule("AES256"))
    needle = uuid.uuid4().hex.encode() * 4
    demo.put(f"/{container}/hidden", needle)
    demo.put(f"/{container}/copy", X_Copy_From=f"/{container}/hidden")
    files = list(stored_files(data_folder))
    assert files and not [content for content in files if needle in content]


def test_a_policy_may_demand_encryption(s3, bucket, anonymous):
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}]}))
    with refused("AccessDenied", 403):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="AES256")


def test_stored_content_is_not_readable(s3, bucket):
    """What is on the disks does not contain the content."""
    data_folder = os.environ.get("MARTLET_DATA")
    if not data_folder:
        pytest.skip("MARTLET_DATA IS NOT SET: the disks of the cluster were not looked into")
    needle = uuid.uuid4().hex.encode() * 4
    s3.put_object(Bucket=bucket, Key="hidden", Body=needle, ServerSideEncryption="AES256")
    shown = uuid.uuid4().hex.encode() * 4
    s3.put_object(Bucket=bucket, Key="shown", Body=shown)
    found = {needle: 0, shown: 0}
    for content in stored_files(data_folder):
        for text in found:
            found[text] += text in content
    assert found[needle] == 0 and found[shown] > 0
