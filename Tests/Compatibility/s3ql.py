"""What S3QL 6 does with a store, request by request, for its five schemes: swiftks (Keystone v2 and v3), swift (v1), s3c
(signature v2) and s3c4 (v4). And a proxy that spoils connections."""
import base64
import email.utils
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import threading
import time
import urllib.parse
import xml.etree.ElementTree

import raw
from swiftapi import BASE

SCHEMES = ["swiftks-v2", "swiftks-v3", "swift", "s3c", "s3c4"]
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
RETRIED = {401, 408, 429, 500, 502, 503, 504, 507}


class Fatal(Exception):
    """What ends the real program."""


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()


class Store:
    """One container or bucket by one scheme. Requests are repeated as S3QL repeats them, without its pauses."""
    metadata_prefix = "X-Object-meta-"

    def __init__(self, address, container, prefix="fs/"):
        self.address, self.container, self.prefix = urllib.parse.urlsplit(address), container, prefix
        self.connection, self.tries = None, 0

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    # One request

    def request(self, method, path, headers=None, body=b"", expects=False):
        for self.tries in range(12):
            try:
                answer = self.attempt(method, path, headers or {}, body, expects)
            except (OSError, http.client.HTTPException):
                self.close()
                continue
            if answer.status not in RETRIED:
                return answer
            self.close()
            if answer.status == 401:
                self.login()
        raise Fatal(f"{method} {path}: given up")

    def attempt(self, method, path, headers, body, expects):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=60)
            self.connection.connect()
        headers = {**headers, "Content-Length": str(len(body))}
        if expects:
            headers["Expect"] = "100-continue"
        self.connection.putrequest(method, self.root + path, skip_accept_encoding=True, skip_host=True)
        for name, value in self.signed(method, self.root + path, headers, body).items():
            self.connection.putheader(name, value)
        if not expects:
            self.connection.endheaders(body or None)
            return Answer(self.connection.getresponse())
        self.connection.endheaders()
        go = b"HTTP/1.1 100 Continue\r\n\r\n"
        if self.connection.sock.recv(len(go), socket.MSG_PEEK | socket.MSG_WAITALL) == go:
            self.connection.sock.recv(len(go))
            self.connection.send(body)
        # Otherwise a final status came instead.
        return Answer(self.connection.getresponse())

    @property
    def host(self):
        return f"{self.address.hostname}:{self.address.port}"

    def key(self, name):
        return "/" + urllib.parse.quote(self.prefix + name)

    # What S3QL does

    def put(self, name, data, metadata):
        named = {self.metadata_prefix + n: v for n, v in metadata.items()}
        answer = self.request("PUT", self.key(name), {"Content-Type": "application/octet-stream", **self.body_headers(data), **named},
                              data, expects=True)
        if answer.status not in (200, 201):
            raise Fatal(f"status {answer.status} to a PUT")
        assert answer.body == b"" and answer.headers["ETag"].strip('"').lower() == hashlib.md5(data).hexdigest()

    def body_headers(self, data):
        return {}

    def read(self, method, name):
        """Content and metadata; None: there is none."""
        answer = self.request(method, self.key(name), {"Accept-Encoding": "identity"})
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Fatal(f"status {answer.status} to a {method}")
        if method == "GET":
            assert answer.headers["ETag"].strip('"').lower() == hashlib.md5(answer.body).hexdigest()
        prefix = self.metadata_prefix.lower()
        return answer, {n[len(prefix):].lower(): v for n, v in answer.headers.items() if n.lower().startswith(prefix)}

    def delete(self, name):
        answer = self.request("DELETE", self.key(name))
        assert answer.status in (200, 202, 204, 404) and (answer.status == 404 or answer.body == b"")
        return answer.status != 404


class Swift(Store):
    def __init__(self, scheme, account, container, base=None):
        super().__init__(base or BASE, container)
        self.scheme, self.account, self.keystone = scheme, account, base or BASE
        self.login()

    def login(self):
        for _ in range(12):
            try:
                self.token, storage = {"swiftks-v2": self.v2, "swiftks-v3": self.v3, "swift": self.v1}[self.scheme]()
                break
            except (OSError, http.client.HTTPException):
                continue
        url = urllib.parse.urlsplit(storage)
        self.address, self.root = url, url.path + "/" + self.container

    def ask(self, method, path, headers, document=None):
        url = urllib.parse.urlsplit(self.keystone)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(document) if document else None, headers)
            answer = Answer(connection.getresponse())
            if answer.status >= 500:
                raise OSError(answer.status)
            return answer
        finally:
            connection.close()

    def v1(self):
        headers = {"X-Auth-User": f"{self.account.project}:{self.account.user}", "X-Auth-Key": self.account.password}
        answer = self.ask("GET", "/v1.0", headers)
        if answer.status in (404, 412):
            answer = self.ask("GET", "/auth/v1.0", headers)
        assert answer.status // 100 == 2
        return answer.headers["X-Auth-Token"], answer.headers["X-Storage-Url"]

    JSON_HEADERS = {"Content-Type": "application/json", "Accept": 'application/json; charset="utf-8"'}

    def v2(self):
        answer = self.ask("POST", "/v2.0/tokens", self.JSON_HEADERS, {"auth": {
            "passwordCredentials": {"username": self.account.user, "password": self.account.password},
            "tenantName": self.account.project}})
        assert answer.status // 100 == 2
        access = json.loads(answer.body)["access"]
        url = next(e["publicURL"] for s in access["serviceCatalog"] if s["type"] == "object-store"
                   for e in s["endpoints"] if e["region"] == "RegionOne")
        return access["token"]["id"], url

    def v3(self):
        domain = {"id": "default"}
        answer = self.ask("POST", "/v3/auth/tokens", self.JSON_HEADERS, {"auth": {
            "identity": {"methods": ["password"], "password": {
                "user": {"name": self.account.user, "password": self.account.password, "domain": domain}}},
            "scope": {"project": {"id": self.account.path.split("AUTH_")[1], "domain": domain}}}})
        assert answer.status // 100 == 2
        url = next(e["url"] for s in json.loads(answer.body)["token"]["catalog"] if s["type"] == "object-store"
                   for e in s["endpoints"] if e["region"] == "RegionOne" and e["interface"] == "public")
        return answer.headers["X-Subject-Token"], url

    def signed(self, method, target, headers, body):
        return {"Host": self.host, "X-Auth-Token": self.token, **headers}

    def features(self):
        """`/info`, without a token."""
        answer = self.ask("GET", "/info", {})
        assert answer.status == 200 and re.fullmatch(r"application/json(; ?charset=utf-8)?", answer.headers["Content-Type"], re.I)
        return json.loads(answer.body)

    def probe(self):
        return self.request("GET", "/?limit=1")

    def list(self, prefix="", page=1000):
        names, marker = [], None
        while True:
            query = {"prefix": self.prefix + prefix, "limit": page, "format": "json", **({"marker": marker} if marker else {})}
            answer = self.request("GET", "/?" + urllib.parse.urlencode(query))
            if answer.status == 204:
                return names
            assert answer.status == 200 and answer.headers["Content-Type"] == "application/json; charset=utf-8"
            found = [e["name"] for e in json.loads(answer.body)]
            names += [n[len(self.prefix):] for n in found]
            if len(found) < page:
                return names
            marker = found[-1]

    def delete_many(self, names):
        """Returns those that could not be deleted."""
        lines = "\n".join(f"/{self.container}{self.key(n)}" for n in names)
        answer = self.request("POST", "/?bulk-delete", {
            "Content-Type": "text/plain; charset=utf-8", "Accept": "application/json"}, lines.encode())
        assert answer.status == 200
        report = json.loads(answer.body)
        assert report["Response Status"] == "200 OK" and report["Number Deleted"] + report["Number Not Found"] == len(names)
        return [urllib.parse.unquote(path) for path, _ in report["Errors"]]


class S3(Store):
    metadata_prefix = "x-amz-meta-"

    def __init__(self, scheme, container, endpoint):
        super().__init__(endpoint, container)
        self.scheme, self.root = scheme, "/" + container
        self.access, self.secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]

    def login(self):
        raise Fatal("401 from S3")

    def body_headers(self, data):
        return {"Content-MD5": base64.b64encode(hashlib.md5(data).digest()).decode()}

    def signed(self, method, target, headers, body):
        if self.scheme == "s3c4":
            signer = raw.Server(f"http://{self.host}")
            return signer.signed_headers(method, target, self.access, self.secret, headers, payload="UNSIGNED-PAYLOAD")
        headers = {"Host": self.host, "Date": email.utils.formatdate(usegmt=True), **headers}
        path, _, query = target.partition("?")
        amazon = sorted((n.lower(), v) for n, v in headers.items() if n.lower().startswith("x-amz-"))
        text = "\n".join([method, headers.get("Content-MD5", ""), headers.get("Content-Type", ""), headers["Date"]]
                         + [f"{n}:{v}" for n, v in amazon] + [path + ("?delete" if query == "delete" else "")])
        digest = base64.b64encode(hmac.new(self.secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
        return {**headers, "Authorization": f"AWS {self.access}:{digest}"}

    def probe(self):
        return self.request("GET", "/?" + urllib.parse.urlencode({"prefix": self.prefix, "max-keys": 1}))

    def list(self, prefix="", page=1000):
        names, marker = [], None
        while True:
            query = {"prefix": self.prefix + prefix, "max-keys": page, **({"marker": marker} if marker else {})}
            answer = self.request("GET", "/?" + urllib.parse.urlencode(query))
            assert answer.status == 200 and answer.headers["Content-Type"].split(";")[0] in ("application/xml", "text/xml")
            root = xml.etree.ElementTree.fromstring(answer.body)
            found = [e.findtext(NAMESPACE + "Key") for e in root.findall(NAMESPACE + "Contents")]
            names += [n[len(self.prefix):] for n in found]
            if root.findtext(NAMESPACE + "IsTruncated") == "false":
                return names
            marker = found[-1]

    def delete_many(self, names):
        if self.scheme == "s3c":
            for name in names:
                self.delete(name)
            return []
        body = ("<Delete>" + "".join(f"<Object><Key>{self.prefix}{n}</Key></Object>" for n in names) + "</Delete>").encode()
        answer = self.request("POST", "/?delete", {"Content-Type": "text/xml; charset=utf-8", **self.body_headers(body)}, body)
        assert answer.status == 200 and answer.headers["Content-Type"].split(";")[0] in ("application/xml", "text/xml")
        root = xml.etree.ElementTree.fromstring(answer.body)
        assert len(root.findall(NAMESPACE + "Deleted")) == len(names)
        return [e.findtext(NAMESPACE + "Key") for e in root.findall(NAMESPACE + "Error")]


class Spoiler:
    """A proxy for one server. Each new connection takes the next of `faults`, if there is one:

    503: answered so before the body; drop: closed after the head; half: closed in the middle of the body;
    deaf: the server does what it is asked, its answer is lost."""

    def __init__(self, address):
        self.server = urllib.parse.urlsplit(address)
        self.faults = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            fault = self.faults.pop(0) if self.faults else None
            threading.Thread(target=self.serve, args=(client, fault), daemon=True).start()

    def serve(self, client, fault):
        with client:
            if fault in ("503", "drop"):
                head = b""
                while b"\r\n\r\n" not in head and (data := client.recv(65536)):
                    head += data
                if fault == "503":
                    client.sendall(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    time.sleep(0.05)
                return
            with socket.create_connection((self.server.hostname, self.server.port)) as server:
                back = threading.Thread(target=self.answers, args=(server, client, fault), daemon=True)
                back.start()
                self.requests(client, server, 2000 if fault == "half" else None)
                back.join(20)

    @staticmethod
    def requests(client, server, most):
        passed = 0
        try:
            while data := client.recv(65536):
                if most is not None and passed + len(data) > most:
                    server.sendall(data[:most - passed])
                    break
                server.sendall(data)
                passed += len(data)
            else:
                server.shutdown(socket.SHUT_WR)
                return
        except OSError:
            pass
        Spoiler.hang_up(client, server)

    @staticmethod
    def answers(server, client, fault):
        try:
            while data := server.recv(65536):
                if fault == "deaf" and not data.startswith(b"HTTP/1.1 100"):
                    break
                client.sendall(data)
        except OSError:
            pass
        Spoiler.hang_up(client, server)

    @staticmethod
    def hang_up(*sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
