"""Events that wait outlive the gateway, and https is checked."""
import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile

import botocore.exceptions
import pytest
from conftest import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Compatibility"))
from receiver import Receiver  # noqa: E402

CERTIFICATES = pathlib.Path(tempfile.mkdtemp(prefix="martlet-webhook-"))
CERTIFICATE, KEY = CERTIFICATES / "certificate.pem", CERTIFICATES / "key.pem"
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", KEY, "-out", CERTIFICATE],
               check=True, capture_output=True, timeout=60)
CLUSTER_OPTIONS = ["--nodes", "1", "--replicas", "1", "--set", f"gateway.webhook_authority={CERTIFICATE}",
                   "--set", "gateway.webhook_queue_max=1MiB"]


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


def configured(cluster, receiver, name, bucket):
    s3 = cluster.s3()
    s3.create_bucket(Bucket=bucket)
    cluster.adm("add-webhook", name, receiver.url)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [
        {"QueueArn": f"arn:martlet:sqs::{name}:webhook", "Events": ["s3:ObjectCreated:*"]}]})
    return s3


def keys(receiver):
    return [r["s3"]["object"]["key"] for r in receiver.records]


def queue(cluster, name):
    found = [w for w in cluster.adm("get-webhooks")["webhooks"] if w["name"] == name]
    return found[0]["gateways"][0]["queue"]


def test_every_acknowledged_write_is_told_of_although_the_gateway_is_killed(cluster, receiver):
    s3 = configured(cluster, receiver, "killed", "killed")
    wait_until("the test event", lambda: len(receiver.tests) == 1)
    acknowledged = []
    for round in range(3):
        receiver.status = 500

        def put(number):
            try:
                s3.put_object(Bucket="killed", Key=f"{round}-{number}", Body=b"x")
                acknowledged.append(f"{round}-{number}")
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                pass
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            running = [pool.submit(put, number) for number in range(150)]
            wait_until("some writes", lambda: len(acknowledged) >= 40 * (round + 1))
            cluster.kill("gateway")
            concurrent.futures.wait(running)
        cluster.release("gateway")
        receiver.status = 200
        wait_until("all events", lambda: set(acknowledged) <= set(keys(receiver)), 60)
    assert len(acknowledged) >= 120
    # What nobody was told of may be told of, but it was written.
    stored = {o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="killed") for o in page["Contents"]}
    assert set(keys(receiver)) <= stored


def test_a_full_queue_drops_what_is_new_and_says_so(cluster, receiver):
    s3 = configured(cluster, receiver, "full", "full")
    wait_until("the test event", lambda: len(receiver.tests) == 1)
    receiver.status = 500
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket="full", Key=f"{n:06}" + "x" * 900, Body=b""), range(1200)))
    waiting = queue(cluster, "full")
    assert waiting["dropped"] > 0 and waiting["queued_bytes"] <= 1 << 20
    assert cluster.metric("gateway", "martlet_notification_dropped_total") == waiting["dropped"]
    receiver.status = 200
    wait_until("what was kept", lambda: queue(cluster, "full")["queued"] == 0, 60)
    assert len(receiver.records) == 1200 - waiting["dropped"]


def test_https_by_a_certificate_that_is_trusted(cluster):
    receiver = Receiver((CERTIFICATE, KEY))
    try:
        s3 = configured(cluster, receiver, "secure", "secure")
        s3.put_object(Bucket="secure", Key="k", Body=b"x")
        wait_until("the event", lambda: keys(receiver) == ["k"])
    finally:
        receiver.stop()


def test_a_webhook_that_is_removed_takes_its_queue_along(cluster, receiver):
    s3 = configured(cluster, receiver, "gone", "gone")
    wait_until("the test event", lambda: len(receiver.tests) == 1)
    receiver.status = 500
    s3.put_object(Bucket="gone", Key="k", Body=b"x")
    s3.put_bucket_notification_configuration(Bucket="gone", NotificationConfiguration={})
    kept = cluster.folder / "data" / "gateway" / "webhooks" / "gone"
    assert kept.is_dir()
    cluster.adm("remove-webhook", "gone")
    wait_until("its queue to go", lambda: not kept.exists(), 30)
