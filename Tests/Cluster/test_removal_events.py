"""What lifecycles and `delete-bucket --force` remove is told to webhooks, whoever dies meanwhile."""
import collections
import concurrent.futures
import pathlib
import sys

import pytest
from conftest import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Compatibility"))
from receiver import Receiver  # noqa: E402

CLUSTER_OPTIONS = ["--nodes", "1", "--replicas", "1"] + [option for setting in [
    "repair.lifecycle_day=2s", "gateway.lifecycle_day=2s", "repair.lifecycle_interval=1s",
    "repair.rate_objects_per_second=100"] for option in ("--set", setting)]


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


def told(receiver):
    """How often each was told: by event, key and version."""
    return collections.Counter((r["eventName"], r["s3"]["object"]["key"], r["s3"]["object"].get("versionId"))
                               for r in receiver.records)


def bucket_told_of(cluster, receiver, bucket, *events, versioning=None, prefix=""):
    s3 = cluster.s3()
    s3.create_bucket(Bucket=bucket)
    cluster.adm("add-webhook", bucket, receiver.url)
    if versioning:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": versioning})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [
        {"QueueArn": f"arn:martlet:sqs::{bucket}:webhook", "Events": list(events),
         "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}}]})
    return s3


def expire(s3, bucket, prefix="", **rule):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": prefix}, **rule}]})


def put_all(s3, bucket, keys):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b"x"), keys))


def events(cluster):
    return cluster.adm("repair-status")["events"]


def test_each_kind_of_expiry(cluster, receiver):
    s3 = bucket_told_of(cluster, receiver, "kinds", "s3:LifecycleExpiration:*", versioning="Enabled", prefix="told/")
    expire(s3, "kinds", Expiration={"Days": 1}, NoncurrentVersionExpiration={"NoncurrentDays": 1})
    ids = {key: s3.put_object(Bucket="kinds", Key=key, Body=b"x")["VersionId"] for key in ("told/a b", "other")}
    wait_until("the object, its version and its marker to go",
               lambda: sum(told(receiver).values()) >= 3 and "Versions" not in s3.list_object_versions(Bucket="kinds"), 60)
    found = told(receiver)
    [marker] = [version for name, _, version in found if name.endswith("MarkerCreated")]
    assert found == {("LifecycleExpiration:DeleteMarkerCreated", "told/a+b", marker): 1,
                     ("LifecycleExpiration:Delete", "told/a+b", ids["told/a b"]): 1,
                     ("LifecycleExpiration:Delete", "told/a+b", marker): 1}
    for record in receiver.records:
        assert record["userIdentity"] == {"principalId": "s3.amazonaws.com"} and record["s3"]["bucket"]["name"] == "kinds"
    sequencers = [r["s3"]["object"]["sequencer"] for r in receiver.records]
    assert sequencers == sorted(sequencers) and len(set(sequencers)) == 3
    wait_until("nothing to wait", lambda: events(cluster)["waiting"] == 0)


def test_every_expiry_is_told_of_although_repair_is_killed(cluster, receiver):
    s3 = bucket_told_of(cluster, receiver, "killed", "s3:LifecycleExpiration:*")
    keys = [f"go/{number}" for number in range(300)]
    put_all(s3, "killed", keys + ["stay"])
    expire(s3, "killed", "go/", Expiration={"Days": 1})
    for part in (40, 120, 200):
        wait_until("some to be told of", lambda: len(told(receiver)) >= part, 60, 0.02)
        cluster.kill("repair")
        cluster.release("repair")
    wait_until("all to be told of", lambda: len(told(receiver)) >= 300, 90)
    assert set(told(receiver)) == {("LifecycleExpiration:Delete", key, None) for key in keys}
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="killed")["Contents"]] == ["stay"]


def test_every_version_of_a_removed_bucket_is_told_of_although_repair_is_killed(cluster, receiver):
    s3 = bucket_told_of(cluster, receiver, "forced", "s3:ObjectRemoved:*", versioning="Enabled")
    written = put_all(s3, "forced", [f"k{number % 100}" for number in range(300)])
    ids = {answer["VersionId"] for answer in written}
    ids.add(s3.delete_object(Bucket="forced", Key="k1")["VersionId"])
    wait_until("the marker's event", lambda: len(receiver.records) == 1)
    cluster.adm("delete-bucket", "forced", cluster.env["AWS_ACCESS_KEY_ID"], "--force")
    for part in (30, 150):
        wait_until("some to be told of", lambda: len(told(receiver)) >= part, 60, 0.02)
        cluster.kill("repair")
        cluster.release("repair")
    wait_until("all to be told of", lambda: len(told(receiver)) >= len(ids) + 1, 90)
    removed = [(version, r["userIdentity"]["principalId"]) for r in receiver.records
               for version in [r["s3"]["object"]["versionId"]] if r["eventName"] == "ObjectRemoved:Delete"]
    assert set(removed) == {(version, "admin") for version in ids}
    wait_until("the bucket to be gone",
               lambda: "forced" not in {b["bucket"] for b in cluster.adm("get-buckets")["buckets"]}, 60)


def test_events_wait_for_a_gateway(cluster, receiver):
    s3 = bucket_told_of(cluster, receiver, "waiting", "s3:ObjectRemoved:*")
    put_all(s3, "waiting", [f"k{number}" for number in range(20)])
    cluster.kill("gateway")
    cluster.adm("delete-bucket", "waiting", cluster.env["AWS_ACCESS_KEY_ID"], "--force")
    wait_until("the removals", lambda: events(cluster)["waiting"] == 20, 60)
    assert events(cluster)["last_error"]
    cluster.kill("repair")
    cluster.release("repair")
    cluster.release("gateway")
    wait_until("all to be told of", lambda: len(told(receiver)) == 20, 60)
    wait_until("nothing to wait", lambda: events(cluster)["waiting"] == 0)
    assert cluster.metric("repair", "martlet_repair_events_total") == 20
