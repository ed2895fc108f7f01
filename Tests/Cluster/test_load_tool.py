"""martlet-load against a real cluster: every kind of request, and what it reports of them."""
import json

from conftest import wait_until

KINDS = ["put", "multipart", "get", "head", "delete", "list"]


def test_every_kind_of_request_is_made_checked_measured_and_recorded(cluster, tmp_path):
    history, acknowledged = tmp_path / "history.jsonl", tmp_path / "acknowledged.jsonl"
    mix = "put=40,multipart=10,get=80,head=20,delete=15,list=15"
    code, out, err = cluster.run_program(
        "load", "run", "--bucket", "load-tool", "--mix", mix, "--size", "0..9KiB=90,5MiB..7MiB=10", "--part-size", "5MiB",
        "--keys", 20, "--distribution", "zipf", "--prepare", "--count", 360, "--concurrency", 6, "--seed", 11, "--rate", 400,
        "--history", history, "--acknowledged", acknowledged, "--json")
    assert code == 0, out + err
    result = json.loads(out.splitlines()[-1])
    assert (result["requests"], result["errors"], result["wrong_bytes"]) == (360, 0, 0), out
    assert sorted(result["operations"]) == sorted(KINDS)
    for kind, row in result["operations"].items():
        latency = row["latency_seconds"]
        assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["p999"] <= latency["max"], kind
    assert result["operations"]["get"]["bytes"] > 0 and result["operations"]["multipart"]["bytes"] > 0
    names = {process["name"] for process in result["processes"]}
    assert {"gateway", "storage-1"} <= names
    assert all(process["resident_bytes"] > 1 << 20 for process in result["processes"])
    assert result["cpu_milliseconds_per_request"] > 0
    for command, file in ("verify", history), ("check", acknowledged):
        more = ["--bucket", "load-tool"] if command == "check" else []
        code, out, err = cluster.run_program("load", command, file, *more)
        assert code == 0, out + err


def test_objects_written_in_parts_are_whole_for_others_and_signed_in_both_ways(cluster):
    s3 = cluster.s3()
    for signature in "v4", "v2":
        code, out, err = cluster.run_program(
            "load", "run", "--bucket", "load-parts", "--mix", "multipart", "--size", "11MiB", "--part-size", "5MiB",
            "--prefix", f"{signature}/", "--keys", 2, "--count", 2, "--concurrency", 2, "--signature", signature)
        assert code == 0, out + err
        for number in range(2):
            head = s3.head_object(Bucket="load-parts", Key=f"{signature}/{number:08}")
            assert head["ContentLength"] == 11 << 20
            assert head["ETag"].endswith('-3"')
            assert "martlet-load" in head["Metadata"]
    assert s3.list_multipart_uploads(Bucket="load-parts").get("Uploads", []) == []


def test_what_others_wrote_is_read_without_a_comparison_only(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="load-others")
    s3.put_object(Bucket="load-others", Key="load/00000000", Body=b"x" * 300_000)
    arguments = ["load", "run", "--bucket", "load-others", "--mix", "get", "--keys", 1, "--count", 5, "--json"]
    code, out, _ = cluster.run_program(*arguments)
    assert code == 1 and json.loads(out.splitlines()[-1])["wrong_bytes"] == 5, out
    code, out, err = cluster.run_program(*arguments, "--no-check")
    assert code == 0, out + err
    assert json.loads(out.splitlines()[-1])["operations"]["get"]["bytes"] == 1_500_000


def report(cluster, *arguments):
    code, out, err = cluster.run_program("load", *arguments, "--json")
    assert code == 0, out + err
    return json.loads(out.splitlines()[-1])


def test_requests_that_were_signed_before_the_run_are_as_good_as_others(cluster):
    for signature in "v4", "v2":
        result = report(cluster, "run", "--bucket", "load-ahead", "--mix", "put=50,get=30,head=10,delete=5,list=5", "--prepare", "--keys", 30,
                        "--size", "0..9KiB", "--count", 200, "--sign-ahead", 150, "--signature", signature, "--concurrency", 4,
                        "--prefix", f"{signature}/")
        assert (result["requests"], result["errors"], result["wrong_bytes"]) == (200, 0, 0), result


def test_load_over_the_bus_makes_objects_that_s3_reads_and_reads_those_of_s3(cluster, tmp_path):
    s3 = cluster.s3()
    acknowledged = tmp_path / "acknowledged.jsonl"
    s3.create_bucket(Bucket="load-bus")
    pings = report(cluster, "bus", "--mix", "ping", "--count", 300, "--concurrency", 8)
    assert pings["operations"]["ping"]["requests"] == 300 and pings["total"]["latency_seconds"]["p50"] > 0
    assert "storage-1" in {process["name"] for process in pings["processes"]}
    common = ["--bucket", "load-bus", "--keys", 25, "--size", "0..20KiB"]
    result = report(cluster, "bus", "--mix", "put=40,get=40,head=10,delete=5,list=5", *common, "--prepare", "--count", 300,
                    "--acknowledged", acknowledged)
    assert (result["requests"], result["errors"], result["wrong_bytes"]) == (300, 0, 0), result
    assert sorted(result["operations"]) == ["delete", "get", "head", "list", "put"]
    code, out, err = cluster.run_program("load", "check", acknowledged, "--bucket", "load-bus")
    assert code == 0, out + err
    report(cluster, "run", "--mix", "put", "--count", 25, *common)
    assert report(cluster, "bus", "--mix", "get", "--count", 50, *common)["operations"]["get"]["not_found"] == 0
    listed = s3.list_objects_v2(Bucket="load-bus")["Contents"]
    assert len(listed) == 25 and all(s3.head_object(Bucket="load-bus", Key=o["Key"])["ETag"] == o["ETag"] for o in listed)
    # The member that the tool was is forgotten like any gateway.
    names = {node["node"] for node in cluster.adm("status")["node_list"]}
    assert "load" in names


def test_load_over_the_bus_is_refused_where_it_would_do_harm(cluster):
    s3 = cluster.s3()
    s3.create_bucket(Bucket="load-versions")
    s3.put_bucket_versioning(Bucket="load-versions", VersioningConfiguration={"Status": "Enabled"})
    for bucket, reason in ("load-versions", "has versions"), ("load-nowhere", "there is no bucket"):
        code, out, err = cluster.run_program("load", "bus", "--mix", "put", "--count", 1, "--bucket", bucket)
        assert code == 3 and reason in err, (code, out, err)


def test_a_recording_of_the_tap_is_replayed(cluster, tmp_path):
    recording = tmp_path / "run.tap"
    cluster.s3().create_bucket(Bucket="load-heard")
    tap = cluster.start_program("tap", "--node", "gateway", "--record", recording, "--duration", 12)
    wait_until("the tap to listen", lambda: recorded(cluster, recording), 10)
    made = report(cluster, "run", "--bucket", "load-tapped", "--mix", "put=40,get=40,head=10,delete=5,list=5", "--keys", 20, "--count", 200,
                  "--size", "1..9KiB=95,2MiB=5", "--rate", 200, "--concurrency", 4)["operations"]
    tap.communicate(timeout=120)
    code, out, err = cluster.run_program("load", "replay", recording, "--dry-run")
    assert code == 0, out + err
    result = report(cluster, "replay", recording, "--speed", "max", "--bucket", "load-replayed", "--concurrency", 1)
    assert (result["errors"], result["wrong_bytes"]) == (0, 0), result
    again = result["operations"]
    # What the preparation of the bucket asked is replayed too; a delete of nothing changes nothing, and is not seen.
    assert again["put"]["requests"] == made["put"]["requests"], (made, again)
    assert abs(again["put"]["bytes"] - made["put"]["bytes"]) == 0, (made, again)
    assert again["list"]["requests"] >= made["list"]["requests"], (made, again)
    timed = report(cluster, "replay", recording, "--speed", "2", "--bucket", "load-replayed")
    assert timed["seconds"] >= 0.4 * made["put"]["requests"] / 200 and timed["errors"] == 0, timed


def recorded(cluster, path):
    """Whether the tap has heard something: the gateway is made to ask."""
    cluster.s3().list_objects_v2(Bucket="load-heard")
    return path.exists() and path.stat().st_size > 100


def test_exit_codes_say_what_went_wrong(cluster, tmp_path):
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("nonsense")
    for code, arguments in [
        (0, ["--help"]), (0, ["bus", "--help"]), (0, ["--version"]), (2, ["run", "--mix", "fly"]), (2, ["run", "--unknown"]),
        (2, ["replay", nonsense]), (2, ["replay", tmp_path / "absent"]), (2, ["verify", nonsense]),
        (3, ["run", "--endpoint", "http://127.0.0.1:1", "--count", "1"]),
        (3, ["bus", "--mix", "ping", "--count", 1, "--data", cluster.folder / "data" / "gateway"]),
    ]:
        found, out, err = cluster.run_program("load", *arguments)
        assert found == code, (arguments, found, out, err)
        assert out if code == 0 else err, arguments
