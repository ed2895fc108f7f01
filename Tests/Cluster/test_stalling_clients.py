"""Clients that send or read too slowly are cut off; others are served meanwhile, and nothing of theirs is stored."""
import contextlib
import socket
import time

import pytest
from conftest import wait_until

CLUSTER_OPTIONS = ["--nodes", "1", "--replicas", "1", "--set", "gateway.head_timeout=2s", "--set", "gateway.idle_timeout=2s",
                   "--set", "gateway.body_timeout=2s", "--set", "gateway.connections_max=64"]
CLIENTS = 20


@pytest.fixture(scope="module")
def s3(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="stalling")
    s3.put_object(Bucket="stalling", Key="large", Body=b"l" * 20_000_000)
    return s3


def connect(cluster):
    return socket.create_connection(("127.0.0.1", int(cluster.endpoint.rpartition(":")[2])), timeout=120)


def target(s3, cluster, method, key):
    return s3.generate_presigned_url(method, Params={"Bucket": "stalling", "Key": key}, ExpiresIn=600)[len(cluster.endpoint):]


def drip(connections, data):
    """Sends one byte after the other to all, until the server has closed all of them or nothing is left."""
    left, answers = dict.fromkeys(connections, b""), []
    for number in range(len(data)):
        for connection in list(left):
            try:
                connection.sendall(data[number:number + 1])
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    received = connection.recv(65536)
                    if not received:
                        answers.append(left.pop(connection))
                        continue
                    left[connection] += received
                connection.setblocking(True)
            except OSError:
                answers.append(left.pop(connection))
        if not left:
            break
        time.sleep(0.1)
    return left, answers


def served(s3):
    return s3.get_object(Bucket="stalling", Key="large", Range="bytes=0-9")["Body"].read() == b"l" * 10


def stored(s3):
    return [listed["Key"] for listed in s3.list_objects_v2(Bucket="stalling")["Contents"]]


@contextlib.contextmanager
def clients(cluster):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(cluster)) for _ in range(CLIENTS)]


def test_heads_byte_by_byte(cluster, s3):
    with clients(cluster) as connections:
        left, _ = drip(connections, b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X-Slow: 1\r\n" * 100)
        assert not left and served(s3)


def test_connections_that_say_nothing(cluster, s3):
    with clients(cluster) as connections:
        assert served(s3)
        assert [connection.recv(100) for connection in connections] == [b""] * CLIENTS


def test_bodies_byte_by_byte_and_bodies_that_stop(cluster, s3):
    """Bytes that come often enough do not help who is slower than the least rate."""
    with clients(cluster) as connections:
        for number, connection in enumerate(connections):
            connection.sendall(f"PUT {target(s3, cluster, 'put_object', f'slow-{number}')} HTTP/1.1\r\nHost: 127.0.0.1:"
                               f"{cluster.endpoint.rpartition(':')[2]}\r\nContent-Length: 100000\r\n\r\nx".encode())
        half = CLIENTS // 2
        left, answers = drip(connections[:half], b"x" * 200)
        assert not left and all(b" 400 " in answer.split(b"\r\n")[0] and b"RequestTimeout" in answer for answer in answers), answers
        for connection in connections[half:]:
            answer = b""
            while more := connection.recv(65536):
                answer += more
            assert b"<Code>RequestTimeout</Code>" in answer
        assert served(s3) and stored(s3) == ["large"]


def test_readers_that_do_not_read(cluster, s3):
    before = cluster.memory("gateway")
    with clients(cluster) as connections:
        for connection in connections:
            connection.sendall(f"GET {target(s3, cluster, 'get_object', 'large')} HTTP/1.1\r\nHost: 127.0.0.1:"
                               f"{cluster.endpoint.rpartition(':')[2]}\r\n\r\n".encode())
        assert served(s3)
        open_connections = lambda: cluster.metric("gateway", "martlet_gateway_connections")  # noqa: E731
        wait_until("the connections to be closed", lambda: open_connections() < CLIENTS, 30)
        assert cluster.memory("gateway") - before < 100 << 20


def test_more_connections_than_are_served(cluster, s3):
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(cluster)) for _ in range(100)]
        connections[-1].sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = connections[-1].recv(65536)
        assert b" 503 " in answer and b"SlowDown" in answer, answer
    wait_until("service", lambda: served(s3), 10)
