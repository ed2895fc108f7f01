"""Clients that note when each acknowledged write began."""
import threading
import time

import botocore.exceptions

from writers import content


class TimedWriters:
    """Every key is written once, so what was acknowledged must be there."""

    def __init__(self, cluster, bucket, prefix, threads=4, size=3000):
        self.cluster, self.bucket, self.prefix, self.size = cluster, bucket, prefix, size
        self.acknowledged, self.refusals = {}, []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def run(self, number):
        s3, count = self.cluster.s3(), 0
        while not self.stopping.is_set():
            count += 1
            key, begun = f"{self.prefix}/{number}/{count}", time.time()
            try:
                s3.put_object(Bucket=self.bucket, Key=key, Body=content(key, 1, self.size))
                self.acknowledged[key] = begun
            except botocore.exceptions.ClientError as error:
                self.refusals.append((begun, error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]))
                time.sleep(0.05)
            except botocore.exceptions.BotoCoreError as error:
                self.refusals.append((begun, 0, type(error).__name__))
                time.sleep(0.05)

    def missing(self, s3):
        """Acknowledged keys that do not read back equal."""
        faults = []
        for key in list(self.acknowledged):
            try:
                body = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                if body != content(key, 1, self.size):
                    faults.append((key, "wrong bytes"))
            except botocore.exceptions.ClientError as error:
                faults.append((key, str(error)))
        return faults
