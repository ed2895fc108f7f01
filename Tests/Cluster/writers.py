"""Clients that write and remember what was acknowledged."""
import hashlib
import itertools
import random
import threading
import time

import botocore.exceptions
from conftest import wait_until


def content(key, version, size):
    """Bytes that only this version of this key has."""
    return hashlib.shake_128(f"{key}/{version}".encode()).digest(size)


def some_puts(writers, count=30, seconds=60):
    """Waits until `writers` have put that many more objects."""
    target = writers.puts + count
    wait_until(f"{count} more puts", lambda: writers.puts >= target, seconds)


def undisturbed(writers, count=20):
    """They go on, and nothing has gone wrong so far."""
    some_puts(writers, count)
    assert writers.errors == [] and writers.wrong == []


class Writers:
    """Threads that put and read back until stopped. Each key belongs to one thread of one instance."""

    instances = itertools.count(1)

    def __init__(self, cluster, bucket, threads=4, sizes=(0, 100, 4096, 100_000), large_every=0):
        self.cluster, self.bucket, self.sizes, self.large_every = cluster, bucket, sizes, large_every
        self.acknowledged, self.attempted, self.errors, self.wrong = {}, {}, [], []
        self.puts, self.instance = 0, next(self.instances)
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def stands(self, s3, key, error):
        """What is read there after a wrong checksum: which attempt of this key it is, from which byte on it is not."""
        if not isinstance(error, botocore.exceptions.FlexibleChecksumError):
            return None
        reply = s3.get_object(Bucket=self.bucket, Key=key, ChecksumMode="DISABLED")
        body = reply["Body"].read()
        attempts = {attempt: content(key, *attempt) for attempt in self.attempted[key]}
        whole = [attempt for attempt, bytes_ in attempts.items() if bytes_ == body]
        same = {attempt: next((i for i, (a, b) in enumerate(zip(bytes_, body)) if a != b), len(body))
                for attempt, bytes_ in list(attempts.items())[-2:]}
        return len(body), reply["ETag"], whole, same

    def run(self, number):
        s3, rng, version = self.cluster.s3(), random.Random(number), 0
        while not self.stopping.is_set():
            version += 1
            key = f"writers-{self.instance}/{number}/key-{rng.randrange(20)}"
            size = 3_000_000 if self.large_every and version % self.large_every == 0 else rng.choice(self.sizes)
            with self.lock:
                self.attempted.setdefault(key, []).append((version, size))
            try:
                s3.put_object(Bucket=self.bucket, Key=key, Body=content(key, version, size))
                with self.lock:
                    self.acknowledged[key] = (version, size)
                    self.puts += 1
                body = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                if body != content(key, version, size):
                    self.wrong.append((key, version, size, len(body)))
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
                self.errors.append((time.time(), key, version, size, str(error)[:200], self.stands(s3, key, error)))
                time.sleep(0.1)

    def verify(self, s3):
        """Every acknowledged object reads back equal; a later attempt without an answer may have taken effect, but whole."""
        assert self.stopping.is_set(), "what is written meanwhile would look wrong"
        faults = []
        for key, attempts in sorted(self.attempted.items()):
            acknowledged = self.acknowledged.get(key)
            allowed = [a for a in attempts if not acknowledged or a[0] >= acknowledged[0]]
            try:
                body = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except botocore.exceptions.ClientError as error:
                if acknowledged or error.response["Error"]["Code"] != "NoSuchKey":
                    faults.append((key, acknowledged, str(error)))
                continue
            if not any(body == content(key, version, size) for version, size in allowed):
                faults.append((key, acknowledged, f"{len(body)} bytes of none of the {len(allowed)} versions that it may be"))
        return faults
