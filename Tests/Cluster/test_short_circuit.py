"""Gateways read large content from the files of storage nodes on their machine: the bytes are right, also when the files are not."""
import os

import pytest
from conftest import wait_until

METRIC = "martlet_short_circuit_reads_total"


def content(size, seed=1):
    return bytes((seed * 7 + i * 31 + (i >> 8)) & 255 for i in range(size))


def reads(cluster, result):
    lines = cluster.fetch("gateway", "/metrics").splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f'{METRIC}{{result="{result}"}}'))


@pytest.fixture(scope="module")
def bucket(cluster):
    cluster.s3().create_bucket(Bucket="large")
    return "large"


@pytest.mark.parametrize("size", [200_000, 1 << 20, 5_000_000])
def test_large_content_is_read_in_place_whole_and_in_part(cluster, bucket, size):
    s3, body = cluster.s3(), content(size)
    s3.put_object(Bucket=bucket, Key=f"{size}", Body=body)
    before = reads(cluster, "read")
    assert s3.get_object(Bucket=bucket, Key=f"{size}")["Body"].read() == body
    assert reads(cluster, "read") >= before + max(1, size >> 20)
    assert s3.get_object(Bucket=bucket, Key=f"{size}", Range="bytes=1000-150000")["Body"].read() == body[1000:150_001]


def test_small_content_is_sent(cluster, bucket):
    s3 = cluster.s3()
    s3.put_object(Bucket=bucket, Key="small", Body=b"x" * 1000)
    before = reads(cluster, "read"), reads(cluster, "sent")
    assert s3.get_object(Bucket=bucket, Key="small")["Body"].read() == b"x" * 1000
    assert (reads(cluster, "read"), reads(cluster, "sent")) == before


def test_no_file_of_a_disk_stays_open_in_the_gateway(cluster, bucket):
    """A disk that its node has left can be unmounted."""
    s3, body, before = cluster.s3(), content(5_000_000, seed=3), reads(cluster, "read")
    s3.put_object(Bucket=bucket, Key="open", Body=body)
    for _ in range(3):
        assert s3.get_object(Bucket=bucket, Key="open")["Body"].read() == body
    assert reads(cluster, "read") >= before + 15
    descriptors = f"/proc/{cluster.pid('gateway')}/fd"
    opened = [os.readlink(os.path.join(descriptors, name)) for name in os.listdir(descriptors)]
    assert opened and not [path for path in opened if path.startswith(f"{cluster.folder}/data/storage")]


def segments(cluster):
    for folder, _, files in os.walk(cluster.folder / "data"):
        for name in files:
            if name.startswith("segment-") and name.endswith(".log"):
                yield os.path.join(folder, name)


def test_damage_on_one_disk_is_never_served(cluster, bucket):
    """Whichever copy a read meets first, the others have the right bytes."""
    s3, body = cluster.s3(), content(3_000_000, seed=5)
    s3.put_object(Bucket=bucket, Key="damaged", Body=body)
    needle = body[2_500_000:2_500_064]
    damaged = 0
    for path in segments(cluster):
        if "storage-1" not in path:
            continue
        with open(path, "r+b") as file:
            position = file.read().find(needle)
            if position >= 0:
                file.seek(position)
                file.write(b"damaged!")
                damaged += 1
    assert damaged == 1
    for _ in range(10):
        assert s3.get_object(Bucket=bucket, Key="damaged")["Body"].read() == body
    assert reads(cluster, "read") > 0


def test_a_gateway_that_may_not_read_is_sent_everything(cluster, bucket):
    s3, body = cluster.s3(), content(2_000_000, seed=9)
    s3.put_object(Bucket=bucket, Key="sent", Body=body)
    config = cluster.folder / "config" / "gateway.toml"
    text = config.read_text()
    assert "[gateway]" in text
    config.write_text(text.replace("[gateway]", "[gateway]\nshort_circuit_reads = false", 1))
    cluster.kill("gateway")
    cluster.release("gateway")
    wait_until("the gateway", lambda: cluster.healthy("gateway", "ready"), 120)
    assert s3.get_object(Bucket=bucket, Key="sent")["Body"].read() == body
    assert METRIC not in cluster.fetch("gateway", "/metrics")
