"""Signatures of version 4 by hand, so that each part of a request can be made wrong after it was signed."""
import base64
import datetime
import hashlib
import hmac
import urllib.parse
import zlib

EMPTY = hashlib.sha256(b"").hexdigest()
CHUNKS, CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED, UNSIGNED_TRAILER = "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


class Signer:
    def __init__(self, access, secret, region="us-east-1", service="s3", seconds=0):
        """`seconds`: how far the clock of this client is ahead."""
        self.access, self.secret = access, secret
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        self.time = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.time[:8]}/{region}/{service}/aws4_request"

    def signature(self, text):
        key = ("AWS4" + self.secret).encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def of_request(self, method, path, query, headers, payload):
        """Signs all the headers. Path and query as they go out."""
        fields = sorted((name.lower(), value) for name, value in headers.items())
        canonical = "\n".join([
            method, path, "&".join(sorted(query.split("&"), key=lambda pair: pair.split("="))) if query else "", *(f"{name}:{value}" for name, value in fields), "",
            ";".join(name for name, _ in fields), payload])
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return self.signature(f"AWS4-HMAC-SHA256\n{self.time}\n{self.scope}\n{digest}")

    def headers(self, method, path, host, payload, query="", **more):
        """The headers of a request, with `Authorization`; further ones with underscores for hyphens."""
        fields = {"Host": host, "x-amz-date": self.time, "x-amz-content-sha256": payload}
        fields |= {name.replace("_", "-"): value for name, value in more.items()}
        names = ";".join(sorted(name.lower() for name in fields))
        signature = self.of_request(method, path, query, fields, payload)
        fields["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{self.scope}, SignedHeaders={names}, Signature={signature}")
        return fields

    def presigned(self, method, path, host, expires=60, payload=UNSIGNED, **more):
        """Path and query of a URL; `more`: headers that it is tied to."""
        fields = {"host": host} | {name.replace("_", "-"): value for name, value in more.items()}
        query = "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.access}/{self.scope}", "X-Amz-Date": self.time,
            "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": ";".join(sorted(fields))}.items())
        return f"{path}?{query}&X-Amz-Signature={self.of_request(method, path, query, fields, payload)}"

    def chunk(self, previous, data):
        """One signed chunk, and its signature: that of the next is tied to it."""
        digest = hashlib.sha256(data).hexdigest()
        signature = self.signature(f"AWS4-HMAC-SHA256-PAYLOAD\n{self.time}\n{self.scope}\n{previous}\n{EMPTY}\n{digest}")
        return f"{len(data):x};chunk-signature={signature}\r\n".encode() + data + b"\r\n", signature

    def trailer(self, previous, text):
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self.signature(f"AWS4-HMAC-SHA256-TRAILER\n{self.time}\n{self.scope}\n{previous}\n{digest}")


class Upload:
    """A PUT in one of the five payload modes, in pieces that a test may exchange before it is sent."""

    def __init__(self, server, path, payload, signer, pieces=(b"a" * 9000, b"b" * 8192, b"c" * 100), **more):
        self.server, self.path, self.target, self.signer = server, path, path, signer
        self.data = b"".join(pieces)
        self.streams = payload.startswith("STREAMING-")
        self.payload = hashlib.sha256(self.data).hexdigest() if payload == "signed" else payload
        if self.streams:
            more |= {"Content_Encoding": "aws-chunked", "x_amz_decoded_content_length": str(len(self.data))}
            if payload.endswith("TRAILER"):
                more["x_amz_trailer"] = "x-amz-checksum-crc32"
        self.headers = signer.headers("PUT", path, server.authority, self.payload, **more)
        self.frames = self.framed(pieces, self.seed) if self.streams else [self.data]

    @property
    def seed(self):
        return self.headers["Authorization"].rpartition("=")[2]

    def framed(self, pieces, seed):
        """One frame for each piece, one for the end, one for the trailer and the last line."""
        frames, previous = [], seed
        signs = self.payload != UNSIGNED_TRAILER
        for piece in [*pieces, b""]:
            if signs:
                frame, previous = self.signer.chunk(previous, piece)
            else:
                frame = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
            frames.append(frame)
        frames[-1] = frames[-1][:-2]
        if not self.payload.endswith("TRAILER"):
            return [*frames, b"\r\n"]
        trailer = f"x-amz-checksum-crc32:{crc32(b''.join(pieces))}"
        lines = trailer + "\r\n"
        if signs:
            lines += f"x-amz-trailer-signature:{self.signer.trailer(previous, trailer + chr(10))}\r\n"
        return [*frames, lines.encode(), b"\r\n"]

    def send(self, method="PUT", length=None, chunked=False):
        body = b"".join(self.frames)
        headers = list(self.headers.items())
        if chunked:
            headers.append(("Transfer-Encoding", "chunked"))
            body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in self.frames if part) + b"0\r\n\r\n"
        else:
            headers.append(("Content-Length", str(len(body) if length is None else length)))
        return self.server.send(method, self.target, headers, body)
