"""Requests as bytes on a socket: what no well-behaved client sends."""
import errno
import hashlib
import http.client
import io
import re
import socket
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        """Code of an error's document."""
        found = re.search(rb"<Error>.*?<Code>(.*?)</Code>", self.body, re.S)
        return found.group(1).decode() if found else None


class _Reader:
    """What http.client wants of a socket."""

    def __init__(self, data):
        self.data = data

    def makefile(self, *_):
        return io.BytesIO(self.data)


class Server:
    def __init__(self, endpoint):
        url = urllib.parse.urlsplit(endpoint)
        self.endpoint, self.host, self.port = endpoint, url.hostname, url.port or 80

    @property
    def authority(self):
        return f"{self.host}:{self.port}"

    def exchange(self, data, then_close_writing=True, timeout=60):
        """Sends bytes and reads all that comes back; None when nothing does."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as connection:
            received = b""
            try:
                connection.sendall(data)
                if then_close_writing:
                    connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    received += chunk
            except OSError as error:
                # The server may answer and go before it has read everything.
                if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
                    raise
        if not received:
            return None
        response = http.client.HTTPResponse(_Reader(received))
        response.begin()
        try:
            body = response.read()
        except http.client.IncompleteRead as partial:
            body = partial.partial
        return Response(response.status, response.headers, body)

    def send(self, method, target, headers=(), body=b"", **options):
        """One request with exactly these headers besides Host and Connection; a list of pairs may repeat a name."""
        return self.exchange(self.head(method, target, headers) + body, **options)

    def head(self, method, target, headers=()):
        """The bytes of a request up to its body."""
        fields = list(headers.items() if isinstance(headers, dict) else headers)
        given = {name.lower() for name, _ in fields}
        fields += [(name, value) for name, value in (("Host", self.authority), ("Connection", "close")) if name.lower() not in given]
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def signed_headers(self, method, path, access, secret, headers=(), body=b"", payload=None, host=None, region="us-east-1"):
        """Headers with a signature v4 in them. `payload`: the value of x-amz-content-sha256."""
        url = f"http://{host or self.authority}{path}"
        request = botocore.awsrequest.AWSRequest(method=method, url=url, headers=dict(headers), data=body)
        digest = payload or hashlib.sha256(body).hexdigest()
        signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(access, secret), "s3", region)
        signer.payload = lambda _: digest
        signer.add_auth(request)
        fields = dict(request.headers.items())
        fields["Host"] = host or self.authority
        return fields
