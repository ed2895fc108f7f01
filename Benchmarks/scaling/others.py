"""What does not depend on the objects: idle connections, users and buckets."""
import concurrent.futures
import os
import pathlib
import resource
import signal
import socket
import time

import boto3
import botocore.config

from .looks import memory, restarted


def connections(made, count):
    """Bytes of the gateway for each connection that has made a request and is kept. The gateway is new: free memory of earlier requests would hide them."""
    restarted(made, "gateway", signal.SIGTERM)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 200)), hard))
    host, port = made.endpoint.removeprefix("http://").split(":")
    sockets, warm = [], 50
    try:
        for number in range(count + warm):
            if number == warm:
                time.sleep(1)
                before = anonymous(made)
            one = socket.create_connection((host, int(port)), timeout=10)
            sockets.append(one)
            one.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            if not one.recv(4096).startswith(b"HTTP/1.1 "):
                raise SystemExit("the gateway closed a connection")
        time.sleep(1)
        if made.metric("gateway", "martlet_gateway_connections") < count + warm:
            raise SystemExit("the gateway has closed connections")
        return {"connections": count, "bytes_each": (anonymous(made) - before) / count}
    finally:
        for one in sockets:
            one.close()


def anonymous(made):
    return memory(made)["gateway"]["anonymous"]


def tenants(made, users, buckets, say):
    """So many users with so many buckets each: time, state, memory of every process."""
    before, begun = memory(made), time.monotonic()
    keys = []
    for number in range(users):
        made_user = made.adm("create-user", f"scale-user-{number:04}")
        keys.append((made_user["access_key_id"], made_user["secret_access_key"]))
    created = time.monotonic()
    say(f"  {users} users in {created - begun:.1f} s")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: create(made, number, keys[number], buckets), range(users)))
    ended = time.monotonic()
    client = s3(made, keys[0])
    listing = time.monotonic()
    if len(client.list_buckets()["Buckets"]) != buckets:
        raise SystemExit("a user does not see its buckets")
    listing = time.monotonic() - listing
    time.sleep(3)
    after, total = memory(made), users * buckets
    return {"users": users, "buckets": total, "seconds_per_user": (created - begun) / users, "seconds_per_bucket": (ended - created) / total,
            "list_buckets_milliseconds": listing * 1000, "state_bytes": state_bytes(made),
            "bytes_per_bucket": {name: (after[name]["anonymous"] - before[name]["anonymous"]) / total for name in after}}


def create(made, number, key, buckets):
    client = s3(made, key)
    for bucket in range(buckets):
        client.create_bucket(Bucket=f"scale-{number:04}-{bucket:04}")


def s3(made, key):
    return boto3.client(
        "s3", endpoint_url=made.endpoint, aws_access_key_id=key[0], aws_secret_access_key=key[1], region_name="us-east-1",
        config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}, read_timeout=60))


def state_bytes(made):
    """The file in which a gateway keeps the cluster's state."""
    return os.path.getsize(pathlib.Path(made.folder) / "data" / "gateway" / "cluster-state")
