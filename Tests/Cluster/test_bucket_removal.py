"""`delete-bucket --force`: everything goes, whoever dies meanwhile, and nothing comes back under a new bucket of the name."""
import concurrent.futures
import datetime

import botocore.exceptions
import pytest
from conftest import wait_until

CLUSTER_OPTIONS = [option for setting in ["repair.interval=3s", "repair.release_grace=1s", "repair.release_interval=1s",
                                          "repair.rate_objects_per_second=150"] for option in ("--set", setting)]


def key(number):
    return f"{'abc'[number % 3]}/key {number}"


def each(work, numbers):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, numbers))


def remove(cluster, bucket):
    cluster.adm("delete-bucket", bucket, cluster.env["AWS_ACCESS_KEY_ID"], "--force")


def state(cluster, bucket):
    """None: there is no such bucket."""
    return {b["bucket"]: b["state"] for b in cluster.adm("get-buckets")["buckets"]}.get(bucket)


def status(cluster):
    return cluster.adm("repair-status")["removals"]


def code(action):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        action()
    return refusal.value.response["Error"]["Code"]


def fill(s3, bucket, count):
    """Objects, versions, delete markers, and an upload that is open."""
    each(lambda n: s3.put_object(Bucket=bucket, Key=key(n), Body=b"x" * (n % 3 * 1000)), range(count))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="open")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="open", UploadId=upload, PartNumber=1, Body=b"p" * 1000)


def usage(cluster):
    return {b["bucket"]: (b["objects"], b["bytes"]) for b in cluster.adm("get-usage")["buckets"]}


def test_all_goes_and_the_name_is_free(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="plain")
    fill(s3, "plain", 50)
    remove(cluster, "plain")
    wait_until("the bucket to be gone", lambda: state(cluster, "plain") is None, 60)
    s3.create_bucket(Bucket="plain")
    assert "Contents" not in s3.list_objects_v2(Bucket="plain")
    assert code(lambda: s3.get_object(Bucket="plain", Key=key(1))) == "NoSuchKey"
    assert s3.list_multipart_uploads(Bucket="plain").get("Uploads", []) == []
    assert usage(cluster)["plain"] == (0, 0)
    s3.delete_bucket(Bucket="plain")


def test_a_bucket_that_is_being_removed_takes_no_writes_and_keeps_its_name(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="closing")
    fill(s3, "closing", 300)
    cluster.kill("repair")
    remove(cluster, "closing")
    assert state(cluster, "closing") == "removing"
    assert code(lambda: s3.put_object(Bucket="closing", Key="late", Body=b"")) == "OperationAborted"
    assert code(lambda: s3.create_bucket(Bucket="closing")) == "OperationAborted"
    assert code(lambda: s3.delete_bucket(Bucket="closing")) == "OperationAborted"
    assert "closing" not in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    remove(cluster, "closing")
    cluster.release("repair")
    wait_until("the bucket to be gone", lambda: state(cluster, "closing") is None, 90)


def test_goes_on_after_kills_of_every_process(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        each(lambda n: s3.put_object(Bucket="versions", Key=key(n), Body=b"x" * 100), range(400))
    each(lambda n: s3.delete_object(Bucket="versions", Key=key(n)), range(100))
    remove(cluster, "versions")
    wait_until("some to be removed", lambda: status(cluster)["removed"] > 50, 60)
    cluster.kill("repair")
    assert state(cluster, "versions") == "removing"
    cluster.release("repair")
    # The count is of the new process: it went on by itself.
    wait_until("more to be removed", lambda: status(cluster)["removed"] > 20, 60)
    tasks = {t["kind"]: t for t in cluster.adm("tasks")["tasks"] if t["kind"] == "bucket-removal"}
    assert tasks["bucket-removal"]["state"] == "running" and "versions" in tasks["bucket-removal"]["note"]
    cluster.kill("storage-2")
    cluster.release("storage-2")
    cluster.kill("manager")
    cluster.release("manager")
    wait_until("the bucket to be gone", lambda: state(cluster, "versions") is None, 120)
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    found = s3.list_object_versions(Bucket="versions")
    assert "Versions" not in found and "DeleteMarkers" not in found
    # A replica that comes back, and a comparison of all of them, bring nothing.
    cluster.kill("storage-1")
    cluster.release("storage-1")
    task = cluster.adm("recover-consistency", "storage-1")["id"]
    wait_until("the comparison", lambda: {t["id"]: t["state"] for t in cluster.adm("tasks")["tasks"]}[task] == "done", 60)
    found = s3.list_object_versions(Bucket="versions")
    assert "Versions" not in found and "DeleteMarkers" not in found
    s3.delete_bucket(Bucket="versions")


def test_what_is_locked_stays_and_its_bucket_with_it(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=30)
    kept = s3.put_object(Bucket="locked", Key="kept", Body=b"kept", ObjectLockMode="COMPLIANCE",
                         ObjectLockRetainUntilDate=until)["VersionId"]
    held = s3.put_object(Bucket="locked", Key="held", Body=b"held", ObjectLockLegalHoldStatus="ON")["VersionId"]
    s3.delete_object(Bucket="locked", Key="kept")
    each(lambda n: s3.put_object(Bucket="locked", Key=key(n), Body=b"x"), range(20))
    remove(cluster, "locked")
    wait_until("the rest to be removed", lambda: "locked" in status(cluster)["kept"], 60)
    assert state(cluster, "locked") == "active"
    left = s3.list_object_versions(Bucket="locked")["Versions"]
    assert sorted((v["Key"], v["VersionId"]) for v in left) == sorted([("kept", kept), ("held", held)])
    assert s3.get_object(Bucket="locked", Key="kept", VersionId=kept)["Body"].read() == b"kept"
    # When nothing is locked any more it goes.
    s3.put_object_legal_hold(Bucket="locked", Key="held", VersionId=held, LegalHold={"Status": "OFF"})
    wait_until("the retention to end", lambda: datetime.datetime.now(datetime.timezone.utc) > until, 60)
    remove(cluster, "locked")
    wait_until("the bucket to be gone", lambda: state(cluster, "locked") is None, 60)


def test_only_the_owners_key_removes_it(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="mine")
    other = cluster.adm("create-user", "somebody-else")["access_key_id"]
    run = cluster.run_program("adm", "delete-bucket", "mine", other, "--force")
    assert run[0] != 0 and "another user" in run[1] + run[2]
    assert state(cluster, "mine") == "active"
    s3.delete_bucket(Bucket="mine")


def test_usage_is_exact_after_a_storage_node_was_dead(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="counted")
    each(lambda n: s3.put_object(Bucket="counted", Key=key(n), Body=b"x" * 100), range(30))
    cluster.kill("storage-3")
    each(lambda n: s3.put_object(Bucket="counted", Key=key(n), Body=b"x" * 10), range(10))
    each(lambda n: s3.delete_object(Bucket="counted", Key=key(n)), range(20, 30))
    cluster.release("storage-3")
    wait_until("all replicas to count the same", lambda: usage(cluster)["counted"] == (20, 10 * 10 + 10 * 100), 60)
    remove(cluster, "counted")
    wait_until("the bucket to be gone", lambda: state(cluster, "counted") is None, 60)
