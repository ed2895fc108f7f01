"""More large uploads at once than may be on their way to the replicas: they wait for each other, and none is refused."""
import json

from conftest import stopped, wait_until

# The stop is short, but no machine is so slow that the nodes count as dead for it.
CLUSTER_OPTIONS = ["--set", "manager.failure_timeout=60s"]
UPLOADS = 64
# Of each two chunks of a MiB are on their way at a time: twice what the bus takes to one node.
SIZE = "6MiB"


def test_large_uploads_wait_for_each_other(cluster):
    cluster.s3().create_bucket(Bucket="large-uploads")
    waited = cluster.metric("gateway", "martlet_content_waits_total")
    # Two of three nodes stand still, so that what is sent piles up however slow the gateway is beside them.
    with stopped(cluster, "storage-2", "storage-3"):
        load = cluster.start_program(
            "load", "run", "--bucket", "large-uploads", "--mix", "put", "--size", SIZE, "--keys", UPLOADS, "--count", UPLOADS,
            "--concurrency", UPLOADS, "--json", "--no-progress")
        wait_until("uploads to wait", lambda: cluster.metric("gateway", "martlet_content_waits_total") > waited, 60, 0.05)
    out, err = load.communicate(timeout=300)
    report = json.loads(out.splitlines()[-1])
    assert (load.returncode, report["requests"], report["errors"]) == (0, UPLOADS, 0), out + err
    code, out, err = cluster.run_program(
        "load", "run", "--bucket", "large-uploads", "--mix", "get", "--distribution", "sequential", "--keys", UPLOADS,
        "--count", UPLOADS, "--concurrency", 4, "--json", "--no-progress")
    report = json.loads(out.splitlines()[-1])
    assert (code, report["requests"], report["errors"], report["wrong_bytes"]) == (0, UPLOADS, 0, 0), out + err
