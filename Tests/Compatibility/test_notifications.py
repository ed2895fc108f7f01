"""Notifications of buckets, sent to a real webhook."""
import json
import os
import pathlib
import subprocess
import urllib.parse
import uuid

import pytest

from conftest import md5, refused, wait_until
from receiver import Receiver


def run_admin(*arguments, **options):
    program = pathlib.Path(os.environ["MARTLET_BIN"]) / "martlet-adm"
    return subprocess.run([program, "--json", *arguments], capture_output=True, text=True, timeout=120, **options)


def admin(*arguments, **options):
    done = run_admin(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def webhook(receiver, s3, bucket):
    name = f"hook-{uuid.uuid4().hex[:8]}"
    admin("add-webhook", name, receiver.url)
    yield name
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    admin("remove-webhook", name)


def arn(name):
    return f"arn:martlet:sqs::{name}:webhook"


def configure(s3, bucket, name, *events, **rule):
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": arn(name), "Events": list(events), **rule}]})


def queue(name):
    """What the gateway says of the webhook's queue."""
    found = [w for w in admin("get-webhooks")["webhooks"] if w["name"] == name]
    return found[0]["gateways"][0]["queue"]


ALL = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put"]


def test_configuration(s3, bucket, webhook, receiver):
    filters = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".jpg"}]}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "QueueConfigurations": [{"Id": "q", "QueueArn": arn(webhook), "Events": ["s3:ObjectCreated:*"], "Filter": filters}],
        "TopicConfigurations": [{"TopicArn": arn(webhook), "Events": ["s3:ObjectRemoved:Delete"]}],
        "LambdaFunctionConfigurations": [
            {"Id": "f", "LambdaFunctionArn": arn(webhook), "Events": ["s3:ObjectTagging:Put", "s3:ObjectAcl:Put"]}]})
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert found["QueueConfigurations"] == [
        {"Id": "q", "QueueArn": arn(webhook), "Events": ["s3:ObjectCreated:*"], "Filter": filters}]
    assert found["TopicConfigurations"][0]["Id"]
    assert found["LambdaFunctionConfigurations"][0]["Events"] == ["s3:ObjectTagging:Put", "s3:ObjectAcl:Put"]
    wait_until("the test event", lambda: len(receiver.tests) == 1)
    assert receiver.tests[0]["Bucket"] == bucket and receiver.tests[0]["Service"] == "Amazon S3"
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


@pytest.mark.parametrize("target", ["arn:martlet:sqs::nobody:webhook", "arn:aws:sqs:us-east-1:123456789012:queue", "x"])
def test_unknown_targets_are_refused(s3, bucket, target):
    with refused("InvalidArgument", 400) as caught:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": target, "Events": ["s3:ObjectCreated:*"]}]})
    assert "Unable to validate the following destination configurations" in str(caught.value)


@pytest.mark.parametrize("event", ["s3:ObjectRestore:Post", "s3:Replication:*", "s3:LifecycleTransition"])
def test_events_that_never_come_are_refused(s3, bucket, webhook, event):
    with refused("InvalidArgument", 400):
        configure(s3, bucket, webhook, event)


@pytest.mark.parametrize("events", [["s3:LifecycleExpiration:*"],
                                    ["s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated"]])
def test_events_of_lifecycles_are_taken_and_read_back(s3, bucket, webhook, events):
    configure(s3, bucket, webhook, *events)
    [rule] = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert rule["Events"] == events


def test_overlapping_rules_are_refused(s3, bucket, webhook):
    rule = {"QueueArn": arn(webhook), "Events": ["s3:ObjectCreated:Put"]}
    with refused("InvalidArgument", 400):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule, rule]})


def test_every_kind_of_event(s3, bucket, webhook, receiver):
    configure(s3, bucket, webhook, *ALL)
    key, body = "a dir/ü b.txt", b"hello"
    etag = s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=upload,
                                 MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.delete_object_tagging(Bucket=bucket, Key=key)
    s3.put_object_acl(Bucket=bucket, Key=key, ACL="public-read")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    s3.delete_object(Bucket=bucket, Key="copy")
    form = s3.generate_presigned_post(bucket, "posted")
    import requests
    assert requests.post(form["url"], data=form["fields"], files={"file": b"posted"}, timeout=120).status_code == 204
    expected = [
        ("ObjectCreated:Put", key), ("ObjectCreated:Copy", "copy"), ("ObjectCreated:CompleteMultipartUpload", "big"),
        ("ObjectTagging:Put", key), ("ObjectTagging:Delete", key), ("ObjectAcl:Put", key), ("ObjectRemoved:Delete", key),
        ("ObjectRemoved:Delete", "copy"), ("ObjectCreated:Post", "posted")]
    wait_until("all events", lambda: len(receiver.records) >= len(expected))
    records = receiver.records
    assert [(r["eventName"], urllib.parse.unquote_plus(r["s3"]["object"]["key"])) for r in records] == expected
    first = records[0]
    assert first["eventVersion"] == "2.2" and first["eventSource"] == "aws:s3"
    assert first["s3"]["bucket"]["name"] == bucket and first["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
    assert first["s3"]["object"]["eTag"] == etag == md5(body) and first["s3"]["object"]["size"] == 5
    assert first["requestParameters"]["sourceIPAddress"] == "127.0.0.1"
    assert "versionId" not in first["s3"]["object"]
    sequencers = [r["s3"]["object"]["sequencer"] for r in records if r["s3"]["object"]["key"] == first["s3"]["object"]["key"]]
    assert sequencers == sorted(set(sequencers)) and len(sequencers) == 5


def test_versions(s3, bucket, webhook, receiver):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    configure(s3, bucket, webhook, *ALL)
    versions = [s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"] for _ in range(2)]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for version in [marker, *versions]:
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    wait_until("all events", lambda: len(receiver.records) >= 6)
    found = [(r["eventName"], r["s3"]["object"]["versionId"]) for r in receiver.records]
    assert found == [
        ("ObjectCreated:Put", versions[0]), ("ObjectCreated:Put", versions[1]),
        ("ObjectRemoved:DeleteMarkerCreated", marker), ("ObjectRemoved:Delete", marker),
        ("ObjectRemoved:Delete", versions[0]), ("ObjectRemoved:Delete", versions[1])]
    sequencers = [r["s3"]["object"]["sequencer"] for r in receiver.records]
    assert sequencers == sorted(set(sequencers)), "two puts and what came after them in order"


def test_filters(s3, bucket, webhook, receiver):
    configure(s3, bucket, webhook, "s3:ObjectCreated:*", Filter={
        "Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".jpg"}]}})
    for key in ["in/1.jpg", "in/1.png", "out/1.jpg", "in/2.jpg"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    wait_until("two events", lambda: len(receiver.records) >= 2)
    assert [r["s3"]["object"]["key"] for r in receiver.records] == ["in/1.jpg", "in/2.jpg"]


def test_a_receiver_that_fails_gets_everything_in_order_later(s3, bucket, webhook, receiver):
    receiver.status = 503
    configure(s3, bucket, webhook, "s3:ObjectCreated:*")
    keys = [f"k{number:02}" for number in range(20)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    wait_until("two attempts", lambda: receiver.attempts >= 2)
    waiting = queue(webhook)
    assert waiting["queued"] == 21 and waiting["failed"] >= 2 and "503" in waiting["last_error"]
    receiver.status = 200
    wait_until("all events", lambda: len(receiver.records) >= 20)
    assert [r["s3"]["object"]["key"] for r in receiver.records] == keys
    wait_until("an empty queue", lambda: queue(webhook)["queued"] == 0)
    done = queue(webhook)
    assert done["delivered"] == 21 and done["dropped"] == 0 and done["last_error"] == ""


def test_a_receiver_that_is_away_for_a_while(s3, bucket, webhook, receiver):
    configure(s3, bucket, webhook, "s3:ObjectCreated:*")
    wait_until("the test event", lambda: len(receiver.tests) == 1)
    receiver.stop()
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"")
    wait_until("an error", lambda: queue(webhook)["last_error"])
    receiver.start()
    wait_until("all events", lambda: len(receiver.records) >= 5)
    assert [r["s3"]["object"]["key"] for r in receiver.records] == [f"k{number}" for number in range(5)]


def test_writers_do_not_wait_for_a_slow_receiver(s3, bucket, webhook, receiver):
    receiver.delay = 2
    configure(s3, bucket, webhook, "s3:ObjectCreated:*")
    for number in range(10):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"")
    # Ten deliveries of two seconds have not been waited for.
    assert len(receiver.records) < 10
    receiver.delay = 0
    wait_until("all events", lambda: len(receiver.records) >= 10)


def test_the_token_is_sent_and_never_shown(s3, bucket, receiver, tmp_path):
    name = f"hook-{uuid.uuid4().hex[:8]}"
    (tmp_path / "token").write_text("top-secret\n")
    made = admin("add-webhook", name, receiver.url, "--token-file", str(tmp_path / "token"))
    assert made["webhooks"][0]["arn"] == arn(name)
    configure(s3, bucket, name, "s3:ObjectCreated:*")
    wait_until("the test event", lambda: len(receiver.tests) == 1)
    headers = receiver.received[0][0]
    assert headers["Authorization"] == "Bearer top-secret" and headers["Content-Type"] == "application/json"
    shown = run_admin("get-webhooks").stdout
    assert '"has_token":true' in shown and "top-secret" not in shown
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    admin("remove-webhook", name)


def test_a_webhook_that_is_named_cannot_be_removed(s3, bucket, webhook):
    configure(s3, bucket, webhook, "s3:ObjectCreated:*")
    done = run_admin("remove-webhook", webhook)
    assert done.returncode != 0 and bucket in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [
    ("add-webhook", "bad name", "http://127.0.0.1/"), ("add-webhook", "x", "ftp://127.0.0.1/"),
    ("add-webhook", "x", "http://user:secret@127.0.0.1/"), ("remove-webhook", "nobody")])
def test_admin_refuses(arguments):
    assert run_admin(*arguments).returncode != 0


def test_an_unknown_certificate_is_not_trusted(s3, bucket, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True, timeout=60)
    receiver = Receiver((certificate, key))
    name = f"hook-{uuid.uuid4().hex[:8]}"
    admin("add-webhook", name, receiver.url)
    configure(s3, bucket, name, "s3:ObjectCreated:*")
    wait_until("an error", lambda: queue(name)["last_error"])
    assert queue(name)["delivered"] == 0 and receiver.received == []
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    admin("remove-webhook", name)
    receiver.stop()
