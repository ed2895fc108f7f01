"""Documents and requests made to exhaust a server or to be understood differently by two: the right refusal, and service goes on."""
import base64
import hashlib
import os
import socket

import pytest

from conftest import refused
from signing import CHUNKS, UNSIGNED, Signer, Upload

ACCESS, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
MIB = 1 << 20


@pytest.fixture
def signer():
    return Signer(ACCESS, SECRET)


@pytest.fixture
def send(server, signer):
    def send(method, path, query="", body=b"", **more):
        """Signed, with the digests that operations on documents ask for."""
        more |= {"Content_MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
        # A sub-resource is signed as a parameter without a value.
        signed = "&".join(part if "=" in part else part + "=" for part in query.split("&")) if query else ""
        headers = signer.headers(method, path, server.authority, hashlib.sha256(body).hexdigest(), signed, **more)
        headers["Content-Length"] = str(len(body))
        return server.send(method, path + ("?" + query if query else ""), headers, body)
    return send


@pytest.fixture
def upload_id(s3, bucket):
    return s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]


# XML

DOCUMENTS = {  # operation: method, key, query, root element
    "DeleteObjects": ("POST", "", "delete", "Delete"), "PutBucketTagging": ("PUT", "", "tagging", "Tagging"),
    "PutBucketAcl": ("PUT", "", "acl", "AccessControlPolicy"), "PutBucketCors": ("PUT", "", "cors", "CORSConfiguration"),
    "PutBucketLifecycle": ("PUT", "", "lifecycle", "LifecycleConfiguration"),
    "PutBucketVersioning": ("PUT", "", "versioning", "VersioningConfiguration"),
    "PutBucketWebsite": ("PUT", "", "website", "WebsiteConfiguration"),
    "PutBucketEncryption": ("PUT", "", "encryption", "ServerSideEncryptionConfiguration"),
    "PutObjectTagging": ("PUT", "/k", "tagging", "Tagging"), "PutObjectAcl": ("PUT", "/k", "acl", "AccessControlPolicy"),
    "CompleteMultipartUpload": ("POST", "/k", "uploadId={upload}", "CompleteMultipartUpload"),
}
LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10 if n else 'ha'}'>" for n in range(10))
BODIES = {
    "document type": lambda root: f"<!DOCTYPE {root}><{root}/>",
    "entities of entities": lambda root: f"<!DOCTYPE {root} [{LAUGHS}]><{root}>&l9;</{root}>",
    "a file of the server": lambda root: f"<!DOCTYPE {root} [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><{root}>&f;</{root}>",
    "deep nesting": lambda root: f"<{root}>" + "<a>" * 50_000 + "</a>" * 50_000 + f"</{root}>",
    "deep nesting without an end": lambda root: f"<{root}>" + "<a>" * 100_000,
    "100,000 entries": lambda root: f"<{root}>" + "<Object/>" * 100_000 + f"</{root}>",
    "2 MiB of text": lambda root: f"<{root}>" + "x" * (2 * MIB - 100) + f"</{root}>",
    "2 MiB of blanks": lambda root: f"<{root}>" + " " * (2 * MIB) + f"</{root}>",
    "2 MiB of one name": lambda root: "<" + "n" * (2 * MIB - 100) + "/>",
    "many attributes": lambda root: f"<{root} " + " ".join(f"a{n}='1'" for n in range(100_000)) + "/>",
    "another encoding": lambda root: f"<?xml version='1.0' encoding='UTF-16'?><{root}/>".encode("utf-16"),
    "control characters": lambda root: f"<{root}>\x00\x01</{root}>",
    "something behind it": lambda root: f"<{root}/><{root}/>",
}
CODES = {"MalformedXML", "MaxMessageLengthExceeded", "EntityTooLarge", "MissingRequestBodyError", "InvalidRequest", "InvalidArgument",
         "MalformedACLError", "IllegalVersioningConfigurationException"}


@pytest.mark.parametrize("attack", BODIES)
@pytest.mark.parametrize("operation", DOCUMENTS)
def test_xml(s3, bucket, send, upload_id, operation, attack):
    method, key, query, root = DOCUMENTS[operation]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    body = BODIES[attack](root)
    body = body if isinstance(body, bytes) else body.encode()
    answer = send(method, f"/{bucket}{key}", query.format(upload=upload_id), body)
    assert answer is not None and answer.status == 400 and answer.code in CODES, answer and answer.body
    assert b"root:" not in answer.body
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_the_number_of_entries_is_limited(s3, bucket, send, upload_id):
    keys = "".join(f"<Object><Key>{n}</Key></Object>" for n in range(1001))
    assert send("POST", f"/{bucket}", "delete", f"<Delete>{keys}</Delete>".encode()).code == "MalformedXML"
    parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>x</ETag></Part>" for n in range(1, 10_002))
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    assert send("POST", f"/{bucket}/k", f"uploadId={upload_id}", body).status == 400
    tags = "".join(f"<Tag><Key>{n}</Key><Value/></Tag>" for n in range(51))
    assert send("PUT", f"/{bucket}", "tagging", f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()).status == 400
    rules = "<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>" * 101
    assert send("PUT", f"/{bucket}", "cors", f"<CORSConfiguration>{rules}</CORSConfiguration>".encode()).status == 400


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, "{" + " " * 30_000 + "}", '{"Statement": "' + "x" * 30_000 + '"}'])
def test_policies_that_are_too_much(bucket, send, body):
    answer = send("PUT", f"/{bucket}", "policy", body.encode())
    assert answer.status == 400 and answer.code in ("MalformedPolicy", "EntityTooLarge", "MaxMessageLengthExceeded"), answer.body


# Heads

def test_floods_of_headers(s3, bucket, server, signer):
    path = f"/{bucket}/k"
    base = signer.headers("GET", path, server.authority, UNSIGNED)
    for more in ({f"x-flood-{n}": "1" for n in range(101)}, {f"x-flood-{n}": "1" for n in range(5000)}, {"x-flood": "f" * 9000},
                 {"x-flood": "f" * 200_000}, {"f" * 20_000: "1"}):
        answer = server.send("GET", path, base | more)
        assert answer is None or (answer.status, answer.code) == (400, "RequestHeaderSectionTooLarge"), answer.body
    with refused("MetadataTooLarge", 400):
        s3.put_object(Bucket=bucket, Key="k", Metadata={"a": "x" * 2100})


def test_floods_of_urls(bucket, server, signer, s3):
    """A key has 1,024 bytes; a URL is cut off where a head is."""
    answer = server.send("GET", f"/{bucket}/" + "k" * 1025, signer.headers("GET", f"/{bucket}/" + "k" * 1025, server.authority, UNSIGNED))
    assert (answer.status, answer.code) == (400, "KeyTooLongError"), answer.body
    for path in (f"/{bucket}/" + "k" * 9000, f"/{bucket}/" + "%41" * 30_000, "/" + "b" * 100_000, "/" * 100_000):
        answer = server.send("GET", path, signer.headers("GET", path, server.authority, UNSIGNED))
        assert answer is None or 400 <= answer.status < 500, answer.status
    query = "&".join(f"q{n:05}=1" for n in range(10_000))
    answer = server.send("GET", f"/{bucket}?{query}", signer.headers("GET", f"/{bucket}", server.authority, UNSIGNED, query))
    assert answer is None or answer.status in (200, 400, 414), answer.status
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("target", ["/{b}/%", "/{b}/%zz", "/{b}/%ff%fe", "/{b}/a%00b", "//", "/{b}\\k", "http://", "*", "/{b}/k#fragment"])
def test_targets_that_are_none(bucket, server, signer, target):
    path = target.format(b=bucket)
    answer = server.send("GET", path, signer.headers("GET", path, server.authority, UNSIGNED))
    assert answer is not None and 400 <= answer.status < 500, answer
    assert answer.code, answer.body


# Expect: 100-continue

class Conversation:
    """One connection, in turns."""

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.port), timeout=60)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def head(self):
        """Status of the next answer; its headers are behind it in `received`."""
        while b"\r\n\r\n" not in self.received:
            more = self.socket.recv(65536)
            assert more, "closed"
            self.received += more
        return int(self.received.split(b" ", 2)[1])

    def after_head(self):
        self.received = self.received.split(b"\r\n\r\n", 1)[1]

    def rest(self):
        while more := self.socket.recv(65536):
            self.received += more
        return self.received


def expecting(upload, value="100-continue"):
    headers = [*upload.headers.items(), ("Content-Length", str(len(b"".join(upload.frames)))), ("Expect", value)]
    return upload.server.head("PUT", upload.target, headers)


@pytest.mark.parametrize("mode", ["signed", UNSIGNED, CHUNKS])
def test_a_body_that_is_wanted_is_asked_for(s3, bucket, server, signer, mode):
    made = Upload(server, f"/{bucket}/k", mode, signer)
    with Conversation(server) as client:
        client.socket.sendall(expecting(made))
        assert client.head() == 100
        client.after_head()
        client.socket.sendall(b"".join(made.frames))
        assert client.head() == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == made.data


def test_a_refusal_comes_instead_of_the_continuation(s3, bucket, server, signer, other_user):
    wrong = Upload(server, f"/{bucket}/k", UNSIGNED, Signer(ACCESS, "x" * 40))
    foreign = Upload(server, f"/{bucket}/k", UNSIGNED, Signer(*other_user))
    nowhere = Upload(server, f"/{bucket}-none/k", UNSIGNED, signer)
    nobody = Upload(server, f"/{bucket}/k", UNSIGNED, signer)
    del nobody.headers["Authorization"]
    bad = Upload(server, f"/{bucket}/k", UNSIGNED, signer, x_amz_acl="nonsense")
    for made, status, code in ((wrong, 403, b"SignatureDoesNotMatch"), (foreign, 403, b"AccessDenied"), (nobody, 403, b"AccessDenied"),
                               (nowhere, 404, b"NoSuchBucket"), (bad, 400, b"InvalidArgument")):
        with Conversation(server) as client:
            client.socket.sendall(expecting(made))
            assert client.head() == status
            # The body is not read; so that nobody takes it for a request, the connection ends.
            assert code in client.rest()
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("value", ["other", "200-ok", "100-continue, other"])
def test_other_expectations(s3, bucket, server, signer, value):
    with Conversation(server) as client:
        client.socket.sendall(expecting(Upload(server, f"/{bucket}/k", UNSIGNED, signer), value))
        assert client.head() == 417
        assert b"<Code>ExpectationFailed</Code>" in client.rest()
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


# Chunked transfer without Content-Length

def in_chunks(server, path, signer, body, payload=UNSIGNED, **more):
    headers = signer.headers("PUT", path, server.authority, payload, **more)
    return server.send("PUT", path, headers | {"Transfer-Encoding": "chunked"}, body)


def test_a_body_of_unknown_length(s3, bucket, server, signer):
    path = f"/{bucket}/k"
    pieces = [os.urandom(size) for size in (1, 70_000, 3 * MIB)]
    body = b"".join(f"{len(piece):X};extension=1\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"
    assert in_chunks(server, path, signer, body).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(pieces)
    digest = hashlib.sha256(b"".join(pieces)).hexdigest()
    assert in_chunks(server, path, signer, body, digest).status == 200
    answer = in_chunks(server, path, signer, body, hashlib.sha256(b"other").hexdigest())
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")


@pytest.mark.parametrize("body", [b"5\r\nhel", b"5\r\nhello\r\n", b"5\r\nhello\r\n0", b"zz\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n",
                                  b"5\r\nhelloo\r\n0\r\n\r\n", b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n", b"5" * 100_000])
def test_chunks_that_are_none(s3, bucket, server, signer, body):
    answer = in_chunks(server, f"/{bucket}/k", signer, body)
    assert answer is None or answer.status == 400, answer.body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
