"""martlet-load against a real cluster: every kind of request, and what it reports of them."""
import json

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
