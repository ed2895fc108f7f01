"""POST Object: forms of browsers."""
import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import uuid

import pytest

from conftest import MIB, make_client, pattern, refused

ACCESS, SECRET = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")


def encode(fields, data=b"content", filename="name.txt", boundary=None, after=()):
    boundary = boundary or uuid.uuid4().hex
    body = b""
    for name, value in fields:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    if data is not None:
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
                 "Content-Type: text/plain\r\n\r\n").encode() + data + b"\r\n"
    for name, value in after:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    return body + f"--{boundary}--\r\n".encode(), boundary


def post(server, bucket, fields, data=b"content", headers=(), **options):
    body, boundary = encode(list(fields.items()) if isinstance(fields, dict) else fields, data, **options)
    return server.send("POST", f"/{bucket}", {
        "Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(len(body))} | dict(headers), body)


def later(seconds=600):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def conditions(bucket, *more):
    return [{"bucket": bucket}, ["starts-with", "$key", ""], {"acl": "private"}, *more]


def signed(bucket, fields, policy=None, version=4, access=ACCESS, secret=SECRET):
    """The fields with a policy and a signature."""
    now = datetime.datetime.now(datetime.timezone.utc)
    extra = {}
    if version == 4:
        scope = now.strftime("%Y%m%d") + "/us-east-1/s3/aws4_request"
        extra = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": f"{access}/{scope}",
                 "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ")}
    if policy is None:
        policy = {"expiration": later(), "conditions": conditions(bucket)}
    if isinstance(policy, dict) and isinstance(policy.get("conditions"), list):
        policy = policy | {"conditions": policy["conditions"] + ([{k: v} for k, v in extra.items()] if policy["conditions"] else [])}
    text = policy if isinstance(policy, str) else base64.b64encode(json.dumps(policy).encode()).decode()
    if version == 4:
        key = ("AWS4" + secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = {"x-amz-signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}
    else:
        extra = {"AWSAccessKeyId": access}
        signature = {"signature": base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()}
    return fields | extra | {"policy": text} | signature


BASIC = {"key": "k", "acl": "private"}


@pytest.mark.parametrize("version", [2, 4])
def test_signed_forms(s3, bucket, server, version):
    answer = post(server, bucket, signed(bucket, BASIC, version=version))
    assert answer.status == 204 and answer.body == b""
    assert answer.headers["ETag"] == f'"{hashlib.md5(b"content").hexdigest()}"'
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"


def test_a_form_of_boto3(s3, bucket, server):
    made = s3.generate_presigned_post(bucket, "from-boto", Fields={"acl": "private"}, Conditions=[
        {"acl": "private"}, ["content-length-range", 1, 100]])
    assert post(server, bucket, made["fields"]).status == 204
    assert s3.get_object(Bucket=bucket, Key="from-boto")["Body"].read() == b"content"


def test_anonymous_forms(s3, bucket, server):
    answer = post(server, bucket, {"key": "k"})
    assert (answer.status, answer.code) == (403, "AccessDenied")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert post(server, bucket, {"key": "k"}).status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"


def test_another_user_needs_the_right_to_write(s3, bucket, server, other_user):
    fields = signed(bucket, BASIC, access=other_user[0], secret=other_user[1])
    assert post(server, bucket, fields).code == "AccessDenied"
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert post(server, bucket, fields).status == 204


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, MIB - 1, MIB, 3 * MIB + 5])
def test_files_of_all_sizes(s3, bucket, server, size):
    # Content that looks like delimiters.
    data = (b"\r\n--x\r\n-" + pattern(100)) * (size // 108 + 1)
    data = data[:size]
    assert post(server, bucket, signed(bucket, BASIC), data, boundary="x-y").status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


def test_names_of_files(s3, bucket, server):
    for filename, key in (("plain.txt", "in/plain.txt"), ("C:\\folder\\name.txt", "in/name.txt"), ("größe 1.txt", "in/größe 1.txt")):
        assert post(server, bucket, signed(bucket, BASIC | {"key": "in/${filename}"}), filename=filename).status == 204
        s3.head_object(Bucket=bucket, Key=key)


def test_what_fields_say_of_the_object(s3, bucket, server):
    fields = {"key": "k", "acl": "public-read", "Content-Type": "text/html", "Cache-Control": "no-store",
              "x-amz-meta-color": "red", "x-amz-storage-class": "STANDARD_IA", "x-amz-server-side-encryption": "AES256"}
    policy = {"expiration": later(), "conditions": [{"bucket": bucket}] + [{k: v} for k, v in fields.items()]}
    assert post(server, bucket, signed(bucket, fields, policy)).status == 204
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentType"], head["CacheControl"], head["Metadata"], head["StorageClass"]) == (
        "text/html", "no-store", {"color": "red"}, "STANDARD_IA")
    assert head["ServerSideEncryption"] == "AES256"
    assert server.send("GET", f"/{bucket}/k").status == 200


@pytest.mark.parametrize("wanted, status", [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)])
def test_status_of_success(bucket, server, wanted, status):
    policy = {"expiration": later(), "conditions": conditions(bucket, ["starts-with", "$success_action_status", ""])}
    answer = post(server, bucket, signed(bucket, BASIC | {"success_action_status": wanted}, policy))
    assert answer.status == status
    if status == 201:
        assert re.search(rb"<Bucket>(.*?)</Bucket>.*<Key>k</Key>", answer.body).group(1).decode() == bucket


@pytest.mark.parametrize("name", ["success_action_redirect", "redirect"])
def test_redirect_after_success(bucket, server, name):
    target = "http://example.org/done?x=1"
    policy = {"expiration": later(), "conditions": conditions(bucket, {name: target})}
    answer = post(server, bucket, signed(bucket, BASIC | {name: target}, policy))
    assert answer.status == 303
    etag = hashlib.md5(b"content").hexdigest()
    assert answer.headers["Location"] == f"{target}&bucket={bucket}&key=k&etag=%22{etag}%22"


@pytest.mark.parametrize("bounds, size, code", [
    ((1, 10), 0, "EntityTooSmall"), ((0, 10), 11, "EntityTooLarge"), ((5, 5), 5, None), ((0, 0), 0, None),
    ((0, 1000), 2 * MIB, "EntityTooLarge")])
def test_length_of_files(s3, bucket, server, bounds, size, code):
    policy = {"expiration": later(), "conditions": conditions(bucket, ["content-length-range", *bounds])}
    answer = post(server, bucket, signed(bucket, BASIC, policy), b"x" * size)
    assert (answer.status, answer.code) == ((400, code) if code else (204, None))
    if code:
        with refused("404", 404):
            s3.head_object(Bucket=bucket, Key="k")


POLICIES = [
    # change of the policy, change of the fields, status, code
    ({"conditions": [{"bucket": "BUCKET"}, {"acl": "private"}, {"key": "k"}]}, {}, 204, None),
    ({"conditions": [["EQ", "$BUCKET", "BUCKET"], ["StArTs-WiTh", "$KeY", "k"], {"AcL": "private"}]}, {}, 204, None),
    ({"conditions": [{"bucket": "another"}, ["starts-with", "$key", ""], {"acl": "private"}]}, {}, 403, "AccessDenied"),
    ({"conditions": [{"bucket": "BUCKET"}, ["starts-with", "$key", "a/"], {"acl": "private"}]}, {}, 403, "AccessDenied"),
    ({"conditions": [{"bucket": "BUCKET"}, ["eq", "$key", "K"], {"acl": "private"}]}, {}, 403, "AccessDenied"),
    ({"conditions": [{"bucket": "BUCKET"}, ["starts-with", "$key", ""]]}, {}, 403, "AccessDenied"),
    ({}, {"x-amz-meta-extra": "1"}, 403, "AccessDenied"), ({}, {"x-ignore-me": "1"}, 204, None),
    ({"expiration": "2001-01-01T00:00:00Z"}, {}, 403, "AccessDenied"),
    ({"expiration": "tomorrow"}, {}, 400, "InvalidPolicyDocument"), ({"expiration": None}, {}, 400, "InvalidPolicyDocument"),
    ({"conditions": None}, {}, 400, "InvalidPolicyDocument"), ({"conditions": []}, {}, 400, "InvalidPolicyDocument"),
    ({"conditions": [["content-length-range", 5]]}, {}, 400, "InvalidPolicyDocument"),
    ({"conditions": [["content-length-range", -1, 5]]}, {}, 400, "InvalidPolicyDocument"),
    ({"conditions": [["content-length-range", 6, 5]]}, {}, 400, "InvalidPolicyDocument"),
    ({"conditions": [["matches", "$key", "k"]]}, {}, 400, "InvalidPolicyDocument"),
    ({"conditions": [["eq", "key", "k"]]}, {}, 400, "InvalidPolicyDocument"), ({"conditions": ["x"]}, {}, 400, "InvalidPolicyDocument"),
]


@pytest.mark.parametrize("change, more, status, code", POLICIES, ids=lambda value: json.dumps(value)[:50])
def test_policies(bucket, server, change, more, status, code):
    policy = {"expiration": later(), "conditions": conditions(bucket)}
    change = json.loads(json.dumps(change).replace("$BUCKET", "$bucKET").replace("BUCKET", bucket))
    policy = {k: v for k, v in (policy | change).items() if v is not None}
    answer = post(server, bucket, signed(bucket, BASIC | more, policy))
    assert (answer.status, answer.code) == (status, code), answer.body


@pytest.mark.parametrize("drop, status, code", [
    ("x-amz-signature", 400, "InvalidArgument"), ("x-amz-algorithm", 400, "InvalidArgument"),
    ("x-amz-date", 400, "InvalidArgument"), ("x-amz-credential", 400, "InvalidArgument"), ("key", 400, "InvalidArgument")])
def test_fields_that_are_missing(bucket, server, drop, status, code):
    answer = post(server, bucket, {k: v for k, v in signed(bucket, BASIC).items() if k != drop})
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("version", [2, 4])
def test_signatures_that_are_wrong(bucket, server, version):
    assert post(server, bucket, signed(bucket, BASIC, version=version, secret="wrong")).code == "SignatureDoesNotMatch"
    assert post(server, bucket, signed(bucket, BASIC, version=version, access="NOBODY")).code == "InvalidAccessKeyId"
    changed = signed(bucket, BASIC, version=version)
    changed["policy"] = base64.b64encode(b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [["starts-with", "$key", ""]]}').decode()
    assert post(server, bucket, changed).code == "SignatureDoesNotMatch"


def test_forms_that_are_none(bucket, server):
    def send(body, kind):
        return server.send("POST", f"/{bucket}", {"Content-Type": kind, "Content-Length": str(len(body))}, body)
    assert send(b"key=k", "application/x-www-form-urlencoded").code == "PreconditionFailed"
    assert send(b"x", "multipart/form-data").code == "PreconditionFailed"
    assert send(b"no delimiter at all", "multipart/form-data; boundary=b").code == "MalformedPOSTRequest"
    assert send(b"--b\r\nX: y\r\n\r\nvalue\r\n--b--\r\n", "multipart/form-data; boundary=b").code == "MalformedPOSTRequest"
    assert post(server, bucket, signed(bucket, BASIC), data=None).code == "IncorrectNumberOfFilesInPostRequest"
    long = post(server, bucket, signed(bucket, BASIC) | {"x-ignore-long": "x" * 30000})
    assert (long.status, long.code) == (400, "MaxPostPreDataLengthExceededError")
    body, boundary = encode(list(signed(bucket, BASIC).items()))
    cut = body[:body.rindex(b"\r\n--")]
    assert send(cut, f"multipart/form-data; boundary={boundary}").code == "IncompleteBody"


def test_fields_after_the_file_do_not_count(s3, bucket, server):
    assert post(server, bucket, signed(bucket, BASIC), after=[("key", "other"), ("acl", "public-read")]).status == 204
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
    assert server.send("GET", f"/{bucket}/k").status == 403
