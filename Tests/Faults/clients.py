"""Clients on few keys, some on each gateway, that write down everything they do and are told."""
import hashlib
import http.client
import random
import re
import threading
import time

import s3
from history import Listing, Operation

BUCKET = "faults"
PER_GATEWAY = 2
# The gateway gives up before: whoever waits longer waits for a process that is paused or unreachable.
TIMEOUT_SECONDS = 15
PAUSE_SECONDS = (0.005, 0.06)
PART_MIN = 5 << 20
# Shares. The keys of one kind see puts and reads only: their histories are checked by zones, however long.
PLAIN = {"put": 35, "get": 50, "head": 8, "multipart": 3, "list": 4}
MIXED = {"put": 20, "get": 33, "head": 6, "delete": 12, "put if absent": 9, "put if match": 13, "multipart": 3, "list": 4}


def content(value, size):
    return hashlib.shake_128(value.encode()).digest(size)


class Load:
    """Runs from `with` to its end. `prefix` keeps the keys of one run apart from those of others."""

    def __init__(self, cluster, history, seed, prefix, keys=3, versioned=False):
        self.cluster, self.history, self.prefix, self.versioned = cluster, history, prefix, versioned
        self.plain = [f"{prefix}/plain-{i}" for i in range(keys)]
        self.mixed = [f"{prefix}/mixed-{i}" for i in range(keys)]
        self.stopping = threading.Event()
        self.workers = [
            Worker(self, number, gateway, random.Random(f"{seed}/{number}"))
            for number, gateway in enumerate(gateway for gateway in cluster.gateways for _ in range(PER_GATEWAY))]

    @property
    def keys(self):
        return self.plain + self.mixed

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for worker in self.workers:
            worker.join(2 * TIMEOUT_SECONDS)
            assert not worker.is_alive(), "a client hangs"


class Worker(threading.Thread):
    def __init__(self, load, number, gateway, rng):
        super().__init__(daemon=True, name=f"client-{number}")
        self.load, self.number, self.gateway, self.rng = load, number, gateway, rng
        self.history, self.written = load.history, 0
        self.client = s3.Client(load.cluster.endpoint_of(gateway), load.cluster.user, TIMEOUT_SECONDS)
        # What this client last saw of a key: what a conditional put names.
        self.seen = {}

    def run(self):
        network = self.load.cluster.network
        network.spaces[self.load.cluster.host(self.gateway)].enter()
        while not self.load.stopping.is_set():
            keys, shares = self.rng.choice([(self.load.plain, PLAIN), (self.load.mixed, MIXED)])
            kind = self.rng.choices(list(shares), shares.values())[0]
            self.perform(kind, self.rng.choice(keys))
            time.sleep(self.rng.uniform(*PAUSE_SECONDS))
        self.client.close()

    def perform(self, kind, key):
        match kind:
            case "get" | "head": self.read(kind.upper(), key)
            case "put": self.put(key)
            case "put if absent": self.put(key, "absent")
            case "put if match" if key in self.seen: self.put(key, "holds")
            case "put if match": self.read("GET", key)
            case "delete": self.delete(key)
            case "multipart": self.multipart(key)
            case "list": self.list()

    # Requests

    def send(self, operation, method, key, **arguments):
        """The answer; None: there is none that says what has happened."""
        operation.gateway, operation.request = self.gateway, operation.request or method
        try:
            answer = self.client.request(method, f"/{BUCKET}/{key}", **arguments)
        except (OSError, http.client.HTTPException) as error:
            operation.returned, operation.error = time.monotonic(), type(error).__name__
            return None
        operation.returned, operation.status, operation.error = time.monotonic(), answer.status, answer.code
        if answer.status >= 500:
            return None
        if answer.status == 403 and (answer.code == "RequestTimeTooSkewed" or method == "HEAD"):
            # The clock of the gateway is off. Answers to HEAD have no body that says so.
            operation.outcome = "failed"
            return None
        return answer

    def unexpected(self, operation, answer):
        self.history.note_wrong(f"{operation.request} {operation.key} at {self.gateway} from {operation.call:.3f} to "
                                f"{operation.returned:.3f}: {answer.status} {answer.code}")

    def read(self, method, key):
        operation = Operation(self.number, key, "get", time.monotonic())
        answer = self.send(operation, method, key)
        if answer and answer.status == 200:
            operation.value, operation.outcome = self.identify(key, method, answer), "ok"
            self.seen[key] = (operation.value, answer.headers["ETag"])
        elif answer and answer.status == 404:
            operation.outcome = "ok"
        elif answer:
            self.unexpected(operation, answer)
        self.history.add(operation)

    def identify(self, key, method, answer):
        """Which content this is; what it says of itself must be true to the last byte."""
        value = answer.headers.get("x-amz-meta-value", "")
        etag, size = self.history.contents.get(value, ("", -1))
        if answer.headers["ETag"] != etag or int(answer.headers["Content-Length"]) != size:
            self.history.note_wrong(f"{method} {key}: {value} with ETag {answer.headers['ETag']}, not {etag}, {size} bytes")
        elif method == "GET" and answer.body != content(value, size):
            self.history.note_wrong(f"GET {key}: wrong bytes of {value}")
        return value

    def new_content(self, key, size):
        self.written += 1
        value = f"{key}@{self.number}.{self.written}"
        return value, content(value, size)

    def put(self, key, condition=None):
        # Two empty contents have one ETag: where ETags are conditions, contents have bytes.
        smallest = 0 if key in self.load.plain else 1
        size = self.rng.choice([smallest, 100, 1000, 5000, 5000, 60_000]) if self.rng.random() > 0.04 else 1_500_000
        value, body = self.new_content(key, size)
        self.history.note_content(value, f'"{hashlib.md5(body).hexdigest()}"', size)
        operation = Operation(self.number, key, "conditionalPut" if condition else "put", time.monotonic(), value, condition)
        headers = {"x-amz-meta-value": value}
        if condition == "absent":
            headers["if-none-match"] = "*"
        elif condition:
            operation.expected, headers["if-match"] = self.seen[key]
        answer = self.send(operation, "PUT", key, headers=headers, body=body)
        if answer and answer.status == 200:
            operation.outcome = "ok"
            self.seen[key] = (value, answer.headers["ETag"])
        elif answer and condition and answer.status in (412, 404):
            operation.outcome = "refused"
        elif answer and answer.status == 409 and condition:
            operation.outcome = "unknown"
        elif answer:
            self.unexpected(operation, answer)
        self.history.add(operation)

    def delete(self, key):
        operation = Operation(self.number, key, "delete", time.monotonic())
        answer = self.send(operation, "DELETE", key)
        if answer and answer.status == 204:
            operation.outcome = "ok"
        elif answer:
            self.unexpected(operation, answer)
        self.history.add(operation)

    def multipart(self, key):
        """Nothing is to be seen before the upload is completed, and then all of it."""
        sizes = [PART_MIN, 3000] if self.rng.random() < 0.15 else [self.rng.randrange(1, 200_000)]
        value, body = self.new_content(key, sum(sizes))
        parts = [body[:sizes[0]], body[sizes[0]:]][:len(sizes)]
        digests = [hashlib.md5(part) for part in parts]
        etag = f'"{hashlib.md5(b"".join(d.digest() for d in digests)).hexdigest()}-{len(parts)}"'
        self.history.note_content(value, etag, sum(sizes))
        step = Operation(self.number, key, "put", time.monotonic(), request="POST uploads")
        begun = self.send(step, "POST", key, query={"uploads": ""}, headers={"x-amz-meta-value": value})
        upload = begun and re.search(rb"<UploadId>([^<]+)</UploadId>", begun.body)
        if not upload:
            return
        upload = upload[1].decode()
        for number, part in enumerate(parts, 1):
            query = {"partNumber": number, "uploadId": upload}
            answer = self.send(step, "PUT", key, query=query, body=part)
            if not answer or answer.status != 200:
                return
        listed = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>&quot;{d.hexdigest()}&quot;</ETag></Part>"
                         for n, d in enumerate(digests, 1))
        operation = Operation(self.number, key, "put", time.monotonic(), value, request="POST uploadId")
        answer = self.send(operation, "POST", key, query={"uploadId": upload},
                           body=f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode())
        # An answer of 200 may still carry an error: it was begun before the end was known.
        if answer and answer.status == 200 and not answer.code:
            operation.outcome = "ok"
        elif answer and answer.status != 200:
            self.unexpected(operation, answer)
        self.history.add(operation)

    def list(self):
        operation = Operation(self.number, "", "get", time.monotonic(), request="LIST")
        query = {"list-type": 2, "prefix": self.load.prefix + "/"}
        answer = self.send(operation, "GET", "", query=query)
        if answer and answer.status == 200:
            self.history.add_listing(Listing(self.gateway, operation.call, operation.returned, entries(answer.body)))
        elif answer:
            self.unexpected(operation, answer)


def entries(body):
    found = re.findall(rb"<Contents>(.*?)</Contents>", body, re.S)
    listed = {}
    for entry in found:
        field = {name: re.search(rb"<%s>([^<]*)</%s>" % (name, name), entry)[1].decode() for name in (b"Key", b"ETag", b"Size")}
        listed[field[b"Key"]] = (field[b"ETag"].replace("&quot;", '"'), int(field[b"Size"]))
    return listed
