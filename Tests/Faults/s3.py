"""A small S3 client for threads that live on a host of the test's network: signature version 4, one connection, no retries.

It costs a tenth of boto3's time, so that a test's clients leave the machine to the cluster. Everything else is tested with real clients.
"""
import datetime
import hashlib
import hmac
import http.client
import re
import urllib.parse

REGION = "us-east-1"
UNSIGNED = "UNSIGNED-PAYLOAD"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        """S3's error code, if the body has one."""
        found = re.search(rb"<Code>(\w+)</Code>", self.body)
        return found[1].decode() if found else ""


class Client:
    """Requests to one gateway. A request that gets no whole answer raises OSError or HTTPException."""

    def __init__(self, address, user, timeout):
        self.address, self.user, self.timeout = address, user, timeout
        self.connection = None

    def request(self, method, path, query=None, headers=None, body=b""):
        encoded = urllib.parse.quote(path)
        pairs = sorted((query or {}).items())
        search = "&".join(f"{urllib.parse.quote(k, safe='')}={urllib.parse.quote(str(v), safe='')}" for k, v in pairs)
        signed = self.sign(method, encoded, search, {**(headers or {}), "host": "%s:%d" % self.address})
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(*self.address, timeout=self.timeout)
            self.connection.request(method, encoded + ("?" + search if search else ""), body=body, headers=signed)
            answer = self.connection.getresponse()
            result = Answer(answer.status, answer.headers, answer.read())
            if answer.will_close:
                self.close()
            return result
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def sign(self, method, path, search, headers):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {**{name.lower(): str(value) for name, value in headers.items()},
                   "x-amz-date": now, "x-amz-content-sha256": UNSIGNED}
        names = ";".join(sorted(headers))
        canonical = "\n".join([method, path, search, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, UNSIGNED])
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = b"AWS4" + self.user["secret_access_key"].encode()
        for part in (now[:8], REGION, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.user['access_key_id']}/{scope}, "
                                    f"SignedHeaders={names}, Signature={signature}")
        return headers
