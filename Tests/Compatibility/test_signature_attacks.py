"""Requests that are signed wrongly, by somebody else, twice or not at all, in every payload mode: the right refusal, nothing stored."""
import os

import pytest

from signing import CHUNKS, CHUNKS_TRAILER, UNSIGNED, UNSIGNED_TRAILER, Signer, Upload, crc32

ACCESS, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
STREAMED = [CHUNKS, CHUNKS_TRAILER, UNSIGNED_TRAILER]
MODES = ["signed", UNSIGNED, *STREAMED]


@pytest.fixture
def signer():
    return Signer(ACCESS, SECRET)


@pytest.fixture
def nothing_stored(s3, bucket):
    yield
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.fixture(params=MODES)
def upload(request, server, bucket, signer):
    return Upload(server, f"/{bucket}/k", request.param, signer, x_amz_meta_a="1")


def check(answer, status, code):
    assert answer is not None, "no answer"
    assert (answer.status, answer.code) == (status, code), answer.body


def test_what_is_right_is_stored(s3, bucket, upload):
    """Otherwise all refusals below would prove nothing."""
    assert upload.send().status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == upload.data
    assert upload.send(chunked=True).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == upload.data


# Every payload mode × credentials

def test_no_credentials(upload, nothing_stored):
    del upload.headers["Authorization"]
    check(upload.send(), 403, "AccessDenied")


def test_a_bad_signature(upload, nothing_stored):
    upload.headers["Authorization"] = upload.headers["Authorization"][:-4] + "0000"
    check(upload.send(), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_secret_and_an_unknown_key(server, bucket, mode, nothing_stored):
    check(Upload(server, f"/{bucket}/k", mode, Signer(ACCESS, "not" + SECRET[3:])).send(), 403, "SignatureDoesNotMatch")
    check(Upload(server, f"/{bucket}/k", mode, Signer("AKIAUNKNOWNUNKNOWN00", SECRET)).send(), 403, "InvalidAccessKeyId")


@pytest.mark.parametrize("mode", MODES)
def test_somebody_else(server, bucket, other_user, mode, nothing_stored):
    check(Upload(server, f"/{bucket}/k", mode, Signer(*other_user)).send(), 403, "AccessDenied")


def test_anothers_key_beside_ones_own_signature(upload, other_user, nothing_stored):
    upload.headers["Authorization"] = upload.headers["Authorization"].replace(ACCESS, other_user[0])
    check(upload.send(), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("who", ["own", "other"])
def test_two_credentials(server, bucket, signer, other_user, mode, who, nothing_stored):
    """One in the headers, one in the query, or both in headers: whichever is right."""
    second = signer if who == "own" else Signer(*other_user)
    path = f"/{bucket}/k"
    for target in (second.presigned("PUT", path, server.authority), f"{path}?AWSAccessKeyId={second.access}&Signature=x&Expires=9999999999",
                   f"{path}?X-Amz-Signature=0", f"{path}?x-amz-credential={second.access}"):
        made = Upload(server, path, mode, signer)
        made.target = target
        check(made.send(), 400, "InvalidArgument")
    made = Upload(server, path, mode, signer)
    again = second.headers("PUT", path, server.authority, made.payload)["Authorization"]
    headers = [*made.headers.items(), ("Authorization", again), ("Content-Length", str(len(b"".join(made.frames))))]
    check(server.send("PUT", path, headers, b"".join(made.frames)), 400, "InvalidArgument")


@pytest.mark.parametrize("mode", STREAMED)
@pytest.mark.parametrize("query, status, code", [
    ("X-Amz-Credential={credential}", 400, "AuthorizationQueryParametersError"),
    ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={time}&X-Amz-Expires=60&X-Amz-SignedHeaders=host",
     400, "AuthorizationQueryParametersError"),
    ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={time}&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
     "&X-Amz-Signature=" + "0" * 64, 403, None),
    ("AWSAccessKeyId={access}&Expires=9999999999&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D", 403, None),
    ("AWSAccessKeyId={access}", 403, None),
])
def test_streams_with_a_key_in_the_query_that_nobody_has_signed(server, bucket, signer, mode, query, status, code, nothing_stored):
    """As servers have taken them: the key of a user is no secret, its signature was never looked at."""
    made = Upload(server, f"/{bucket}/k", mode, signer)
    del made.headers["Authorization"]
    made.target += "?" + query.format(access=ACCESS, credential=f"{ACCESS}/{signer.scope}".replace("/", "%2F"), time=signer.time)
    answer = made.send()
    assert answer.status in (status, 400) and answer.code in ([code] if code else [
        "SignatureDoesNotMatch", "AccessDenied", "InvalidRequest"]), answer.body


# What is changed after it was signed

CHANGES = {
    "method": (lambda u: setattr(u, "method", "POST"), 403, "SignatureDoesNotMatch"),
    "path": (lambda u: setattr(u, "target", u.target + "2"), 403, "SignatureDoesNotMatch"),
    "sub-resource": (lambda u: setattr(u, "target", u.target + "?acl"), 403, "SignatureDoesNotMatch"),
    "query": (lambda u: setattr(u, "target", u.target + "?x=1"), 403, "SignatureDoesNotMatch"),
    "header": (lambda u: u.headers.update({"x-amz-meta-a": "2"}), 403, "SignatureDoesNotMatch"),
    "header gone": (lambda u: u.headers.pop("x-amz-meta-a"), 403, "SignatureDoesNotMatch"),
    "header more": (lambda u: u.headers.update({"x-amz-acl": "public-read"}), 403, "AccessDenied"),
    "host": (lambda u: u.headers.update({"Host": "elsewhere.example"}), 403, "SignatureDoesNotMatch"),
    "date": (lambda u: u.headers.update({"x-amz-date": u.headers["x-amz-date"][:-2] + ("1Z" if u.headers["x-amz-date"][-2] != "1" else "2Z")}),
             403, "SignatureDoesNotMatch"),
    "another day": (lambda u: u.headers.update({"Authorization": u.headers["Authorization"].replace(u.signer.scope[:8], "20200101")}),
                    400, "AuthorizationHeaderMalformed"),
    "region": (lambda u: u.headers.update({"Authorization": u.headers["Authorization"].replace("us-east-1", "us-west-2")}),
               403, "SignatureDoesNotMatch"),
    "service": (lambda u: u.headers.update({"Authorization": u.headers["Authorization"].replace("/s3/", "/ec2/")}),
                400, "AuthorizationHeaderMalformed"),
    "list of headers": (lambda u: u.headers.update({"Authorization": u.headers["Authorization"].replace(";x-amz-meta-a", "")}),
                        403, "AccessDenied"),
    "signature cut": (lambda u: u.headers.update({"Authorization": u.headers["Authorization"][:-1]}), 400, "AuthorizationHeaderMalformed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_after_signing(upload, change, nothing_stored):
    alter, status, code = CHANGES[change]
    upload.method = "PUT"
    alter(upload)
    check(upload.send(method=upload.method), status, code)


@pytest.mark.parametrize("payload", ["signed", *STREAMED])
def test_another_payload_mode_than_was_signed(server, bucket, signer, payload, nothing_stored):
    made = Upload(server, f"/{bucket}/k", payload, signer)
    made.headers["x-amz-content-sha256"] = UNSIGNED
    check(made.send(), 403, "SignatureDoesNotMatch")


def test_a_clock_that_is_wrong(server, bucket, nothing_stored):
    for seconds in (-1000, 1000):
        for mode in MODES:
            made = Upload(server, f"/{bucket}/k", mode, Signer(ACCESS, SECRET, seconds=seconds))
            check(made.send(), 403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("name", ["Host", "x-amz-date", "x-amz-content-sha256", "Content-Length", "Content-MD5"])
def test_repeated_headers(server, bucket, signer, name, nothing_stored):
    """The same value twice, and another one before or after the signed one."""
    made = Upload(server, f"/{bucket}/k", UNSIGNED, signer, Content_MD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    made.headers["Content-Length"] = str(len(made.data))
    fields = list(made.headers.items())
    for more in ([*fields, (name, made.headers[name])], [*fields, (name, "1")], [(name, "1"), *fields]):
        check(server.send("PUT", made.path, more, made.data), 400, "InvalidRequest")


# Presigned URLs

def presigned_put(server, target, payload=UNSIGNED, data=b"x"):
    return server.send("PUT", target, {"Content-Length": str(len(data)), "x-amz-content-sha256": payload}, data)


@pytest.mark.parametrize("seconds, expires, status, code", [
    (-120, 60, 403, "AccessDenied"), (-700_000, 604_800, 403, "AccessDenied"), (3600, 60, 403, "AccessDenied"),
    (0, 604_801, 400, "AuthorizationQueryParametersError"), (0, -1, 400, "AuthorizationQueryParametersError"),
    (0, "x", 400, "AuthorizationQueryParametersError"), (0, "", 400, "AuthorizationQueryParametersError")])
def test_expired_future_and_endless_urls(server, bucket, seconds, expires, status, code, nothing_stored):
    target = Signer(ACCESS, SECRET, seconds=seconds).presigned("PUT", f"/{bucket}/k", server.authority, expires)
    check(server.send("PUT", target, {"Content-Length": "1"}, b"x"), status, code)


URL_CHANGES = {
    "method": lambda t: ("POST", t), "path": lambda t: ("PUT", t.replace("/k?", "/j?")),
    "longer": lambda t: ("PUT", t.replace("Expires=60", "Expires=600")),
    "query": lambda t: ("PUT", t + "&x=1"), "sub-resource": lambda t: ("PUT", t + "&acl="),
    "region": lambda t: ("PUT", t.replace("us-east-1", "us-west-2")), "signature": lambda t: ("PUT", t[:-4] + "0000")}


@pytest.mark.parametrize("change", URL_CHANGES)
def test_changed_urls(server, bucket, signer, change, nothing_stored):
    method, target = URL_CHANGES[change](signer.presigned("PUT", f"/{bucket}/k", server.authority))
    check(server.send(method, target, {"Content-Length": "1"}, b"x"), 403, "SignatureDoesNotMatch")


def test_urls_say_more_than_was_signed(server, bucket, signer, nothing_stored):
    target = signer.presigned("PUT", f"/{bucket}/k", server.authority)
    check(server.send("PUT", target, {"Content-Length": "1", "x-amz-acl": "public-read"}, b"x"), 403, "AccessDenied")
    for name in ("X-Amz-Expires=60", "X-Amz-Signature=0", "X-Amz-Date=" + signer.time):
        answer = server.send("PUT", f"{target}&{name}", {"Content-Length": "1"}, b"x")
        assert answer.status in (400, 403), name
    bound = signer.presigned("PUT", f"/{bucket}/k", server.authority, x_amz_acl="private")
    check(server.send("PUT", bound, {"Content-Length": "1", "x-amz-acl": "public-read"}, b"x"), 403, "SignatureDoesNotMatch")
    check(server.send("PUT", bound, {"Content-Length": "1"}, b"x"), 403, "SignatureDoesNotMatch")


# What is in the frames

def altered(frame, at=-5):
    return frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1:]


def signature_of(frame):
    return frame.split(b"chunk-signature=")[1][:64]


def swap_signatures(upload):
    one, two = map(signature_of, upload.frames[:2])
    upload.frames[0], upload.frames[1] = upload.frames[0].replace(one, two), upload.frames[1].replace(two, one)


def swap_frames(upload):
    upload.frames[0], upload.frames[1] = upload.frames[1], upload.frames[0]


CHUNK_ATTACKS = {
    "content altered": lambda u: u.frames.__setitem__(0, altered(u.frames[0])),
    "signatures swapped": swap_signatures,
    "chunks swapped": swap_frames,
    "chunk repeated": lambda u: u.frames.__setitem__(1, u.frames[0]),
    "signature of another request": lambda u: setattr(u, "frames", u.framed([u.data], "0" * 64)),
    "without signatures": lambda u: setattr(u, "frames", [
        frame.replace(b";chunk-signature=" + signature_of(frame), b"") if b"chunk-signature" in frame else frame for frame in u.frames]),
    "signature cut": lambda u: u.frames.__setitem__(0, u.frames[0].replace(signature_of(u.frames[0]), signature_of(u.frames[0])[:63])),
    "end not signed": lambda u: u.frames.__setitem__(3, b"0;chunk-signature=" + b"0" * 64 + b"\r\n"),
}


@pytest.mark.parametrize("mode", [CHUNKS, CHUNKS_TRAILER])
@pytest.mark.parametrize("attack", CHUNK_ATTACKS)
def test_signed_chunks(server, bucket, signer, mode, attack, nothing_stored):
    made = Upload(server, f"/{bucket}/k", mode, signer, pieces=[b"a" * 9000, b"b" * 9000, b"c" * 9000])
    CHUNK_ATTACKS[attack](made)
    answer = made.send()
    assert answer is not None and answer.status in (400, 403), answer
    assert answer.code in ("SignatureDoesNotMatch", "InvalidChunkSizeError", "IncompleteBody", "InvalidRequest"), answer.body
    assert answer.code == "SignatureDoesNotMatch" or attack in ("without signatures", "signature cut")


FRAME_ATTACKS = {
    "one chunk missing": lambda u: u.frames.pop(1),
    "no end": lambda u: setattr(u, "frames", u.frames[:3]),
    "bytes behind the end": lambda u: u.frames.append(b"more"),
    "a second body behind the end": lambda u: u.frames.extend(u.frames),
    "impossible size": lambda u: u.frames.__setitem__(0, b"f" * 17 + u.frames[0]),
    "endless line": lambda u: u.frames.__setitem__(0, b"0" * 5000 + u.frames[0]),
    "size longer than its content": lambda u: u.frames.__setitem__(2, u.frames[2].replace(b"64", b"65", 1)),
    "no frames": lambda u: setattr(u, "frames", [u.data]),
    "empty": lambda u: setattr(u, "frames", []),
}


@pytest.mark.parametrize("mode", STREAMED)
@pytest.mark.parametrize("attack", FRAME_ATTACKS)
def test_frames(server, bucket, signer, mode, attack, nothing_stored):
    made = Upload(server, f"/{bucket}/k", mode, signer)
    FRAME_ATTACKS[attack](made)
    answer = made.send()
    assert answer is not None and answer.status in (400, 403), answer
    assert answer.code in ("SignatureDoesNotMatch", "IncompleteBody", "InvalidRequest", "InvalidChunkSizeError", "InvalidArgument"), answer.body


@pytest.mark.parametrize("mode", STREAMED)
@pytest.mark.parametrize("difference", [-17292, -1, 1, 10_000_000_000])
def test_a_decoded_length_that_lies(server, bucket, signer, mode, difference, nothing_stored):
    true = Upload(server, f"/{bucket}/k", mode, signer)
    more = {"Content_Encoding": "aws-chunked", "x_amz_decoded_content_length": str(len(true.data) + difference)}
    if mode.endswith("TRAILER"):
        more["x_amz_trailer"] = "x-amz-checksum-crc32"
    true.headers = signer.headers("PUT", true.path, server.authority, mode, **more)
    true.frames = true.framed([true.data], true.seed)
    answer = true.send()
    assert answer is not None and answer.status == 400, answer
    assert answer.code in ("IncompleteBody", "InvalidRequest", "EntityTooLarge"), answer.body


@pytest.mark.parametrize("mode", STREAMED)
@pytest.mark.parametrize("text", ["", "-1", "many", "99999999999999999999"])
def test_a_decoded_length_that_is_none(server, bucket, signer, mode, text, nothing_stored):
    made = Upload(server, f"/{bucket}/k", mode, signer)
    made.headers = signer.headers("PUT", made.path, server.authority, mode, x_amz_decoded_content_length=text)
    answer = made.send()
    assert answer.status in (400, 411), answer.body


def put_trailer(upload, text, sign=True):
    """Replaces the trailer, signed as its chunks are."""
    lines = text
    if upload.payload == CHUNKS_TRAILER:
        last = signature_of(upload.frames[3]).decode()
        signature = upload.signer.trailer(last, text.replace("\r\n", "\n")) if sign else "0" * 64
        lines += f"x-amz-trailer-signature:{signature}\r\n"
    upload.frames[4:] = [lines.encode(), b"\r\n"]


TRAILERS = {
    "wrong checksum": (lambda u: put_trailer(u, f"x-amz-checksum-crc32:{crc32(b'other')}\r\n"), "BadDigest"),
    "no checksum": (lambda u: put_trailer(u, ""), None),
    "another one": (lambda u: put_trailer(u, f"x-amz-checksum-crc32c:{crc32(u.data)}\r\n"), None),
    "no base64": (lambda u: put_trailer(u, "x-amz-checksum-crc32:!!!!\r\n"), None),
    "twice": (lambda u: put_trailer(u, f"x-amz-checksum-crc32:{crc32(u.data)}\r\n" * 2), None),
    "a header in it": (lambda u: put_trailer(u, f"x-amz-acl:public-read\r\nx-amz-checksum-crc32:{crc32(u.data)}\r\n"), None),
    "endless": (lambda u: put_trailer(u, "x-amz-checksum-crc32:" + "A" * 20_000 + "\r\n"), None),
}


@pytest.mark.parametrize("mode", [CHUNKS_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("attack", TRAILERS)
def test_trailers(server, bucket, signer, mode, attack, nothing_stored):
    alter, code = TRAILERS[attack]
    made = Upload(server, f"/{bucket}/k", mode, signer)
    alter(made)
    answer = made.send()
    assert answer is not None and answer.status in (400, 403), answer
    assert code is None or answer.code == code, answer.body


def test_a_trailer_that_is_not_signed(server, bucket, signer, nothing_stored):
    made = Upload(server, f"/{bucket}/k", CHUNKS_TRAILER, signer)
    put_trailer(made, f"x-amz-checksum-crc32:{crc32(made.data)}\r\n", sign=False)
    check(made.send(), 403, "SignatureDoesNotMatch")
    made = Upload(server, f"/{bucket}/k", CHUNKS_TRAILER, signer)
    made.frames[4:] = [f"x-amz-checksum-crc32:{crc32(made.data)}\r\n".encode(), b"\r\n"]
    assert made.send().status in (400, 403)


def test_bytes_behind_a_body_of_known_length_are_no_part_of_it(s3, bucket, server, signer):
    made = Upload(server, f"/{bucket}/k", UNSIGNED, signer)
    made.frames.append(b"GET / HTTP/1.1\r\n\r\n")
    assert made.send(length=len(made.data)).status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == made.data
