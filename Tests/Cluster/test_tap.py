"""The tap shows the live messages of the bus."""
import json

from conftest import wait_until


def tapped(cluster, *options):
    tap = cluster.start_program("tap", "--json", "--duration", 8, *options)
    # The first lines show that it listens.
    assert tap.stdout.readable()
    return tap


def lines(out):
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def put_until_seen(cluster, tap, key):
    s3 = cluster.s3()
    for _ in range(12):
        s3.put_object(Bucket="tapped", Key=key, Body=b"t" * 5000)
        try:
            return tap.communicate(timeout=1)
        except Exception:
            continue
    return tap.communicate(timeout=120)


def test_the_tap_shows_stage_and_commit_of_a_put_to_each_replica(cluster, tmp_path):
    cluster.s3().create_bucket(Bucket="tapped")
    record = tmp_path / "tap.rec"
    tap = tapped(cluster, "--node", "gateway", "--key", "shown", "--record", record)
    out, err = put_until_seen(cluster, tap, "shown")
    seen = lines(out)
    assert seen, err
    for kind in ("stage", "commit"):
        peers = {m["peer"] for m in seen if m["type"] == kind}
        assert peers == {"storage-1", "storage-2", "storage-3"}, (kind, seen[:5])
    replies = [m for m in seen if m["type"] == "commit" and m.get("latency_ms") is not None]
    assert replies, seen[:5]
    assert any(m["payload_bytes"] == 5000 for m in seen if m["type"] == "stage"), seen[:5]
    code, again, err = cluster.run_program("tap", "--read", record, "--json", "--type", "commit")
    assert code == 0, err
    assert lines(again) and {m["type"] for m in lines(again)} == {"commit"}


def test_the_tap_filters_by_type_and_peer(cluster):
    tap = tapped(cluster, "--type", "stage", "--peer", "storage-2", "--node", "gateway")
    out, err = put_until_seen(cluster, tap, "other")
    seen = lines(out)
    assert seen, err
    assert {(m["type"], m["peer"]) for m in seen} == {("stage", "storage-2")}
    wait_until("nothing to be left", lambda: tap.poll() is not None, 5)
