"""The gateway's memory stays bounded however many slow clients upload large objects.

MARTLET_SLOW_CLIENTS (200) clients announce 100 MB each and send MARTLET_SLOW_BYTES (2,500,000) of it, slowly; then they hang up.
"""
import os
import selectors
import socket
import time

from conftest import wait_until

CLIENTS = int(os.environ.get("MARTLET_SLOW_CLIENTS", 200))
BYTES = int(os.environ.get("MARTLET_SLOW_BYTES", 2_500_000))
ANNOUNCED = 100_000_000
MEMORY_MAX = 600 << 20


def presigned(cluster, key):
    """Path and query of a presigned PUT: the body needs no hash."""
    url = cluster.s3().generate_presigned_url("put_object", Params={"Bucket": "slow", "Key": key}, ExpiresIn=600)
    return url[len(cluster.endpoint):]


def test_memory_is_bounded_with_many_slow_uploads(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="slow")
    port = int(cluster.endpoint.rpartition(":")[2])
    before, highest = cluster.memory("gateway"), 0
    selector, left = selectors.DefaultSelector(), {}
    for i in range(CLIENTS):
        s = socket.create_connection(("127.0.0.1", port), timeout=120)
        s.sendall((f"PUT {presigned(cluster, f'upload-{i}')} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                   f"Content-Length: {ANNOUNCED}\r\n\r\n").encode())
        s.setblocking(False)
        selector.register(s, selectors.EVENT_WRITE)
        left[s] = BYTES
    block, end = b"s" * 65536, time.monotonic() + 60
    while left and time.monotonic() < end:
        for ready, _ in selector.select(1):
            s = ready.fileobj
            try:
                left[s] -= s.send(block[:left[s]])
            except OSError:
                left[s] = 0
            if left[s] <= 0:
                selector.unregister(s)
                del left[s]
        highest = max(highest, cluster.memory("gateway"))
        time.sleep(0.01)
    highest = max(highest, cluster.memory("gateway"))
    print(f"gateway: {before >> 20} MiB before, {highest >> 20} MiB at most")
    # Others are served meanwhile.
    s3.put_object(Bucket="slow", Key="another", Body=b"x" * 10_000)
    assert s3.get_object(Bucket="slow", Key="another")["Body"].read() == b"x" * 10_000
    for ready in list(selector.get_map().values()):
        ready.fileobj.close()
    selector.close()
    assert highest < MEMORY_MAX
    wait_until("the gateway to serve", lambda: cluster.healthy("gateway", "ready"), 30)
    stored = [o["Key"] for o in s3.list_objects_v2(Bucket="slow").get("Contents", [])]
    assert stored == ["another"], "an upload that was cut off was stored"
