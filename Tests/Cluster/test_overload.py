"""More clients than the cluster can serve: the rest is told to slow down, early, and what was acknowledged is there."""
import json
import re
import socket

from conftest import wait_until

# So short that any machine is overloaded by this many clients.
CLUSTER_OPTIONS = ["--set", "gateway.overload_delay=5ms"]
CLIENTS = 600


def ask(port, path):
    """The head of one answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer and (more := s.recv(65536)):
            answer += more
    return answer.decode()


def test_overload_is_refused_early_and_loses_nothing(cluster, tmp_path):
    acknowledged = tmp_path / "acknowledged.jsonl"
    s3_port, other_port = int(cluster.endpoint.rpartition(":")[2]), cluster.port_base + 1
    assert ask(s3_port, "/overload/none").startswith("HTTP/1.1 40"), "an idle gateway refuses nothing"
    load = cluster.start_program(
        "load", "run", "--bucket", "overload", "--mix", "put=60,get=40", "--size", "4KiB", "--keys", 500, "--concurrency", CLIENTS,
        "--duration", "300s", "--acknowledged", acknowledged, "--json", "--no-progress")
    try:
        wait_until("requests to be refused", lambda: cluster.metric("gateway", "martlet_requests_refused_total") > CLIENTS, 60)
        assert cluster.metric("gateway", "martlet_admission_limit") < CLIENTS

        def refused(port, path):
            answer = ask(port, path)
            return answer if answer.startswith("HTTP/1.1 503") else None
        for port, path in (s3_port, "/overload/none"), (other_port, "/v1/AUTH_none"):
            answer = wait_until(f"{path} to be refused", lambda: refused(port, path), 30, 0)
            assert re.search(r"\r\nretry-after: *\d+\r\n", answer, re.IGNORECASE), answer
        # Health checks are answered whatever goes on.
        for port, path in (s3_port, "/_leofs_adm/ping"), (other_port, "/healthcheck"):
            assert all(ask(port, path).startswith("HTTP/1.1 200") for _ in range(20)), path
        assert cluster.healthy("gateway", "ready") and cluster.healthy("gateway", "live")
        assert cluster.adm("status"), "administration goes on"
    finally:
        load.terminate()
        out, err = load.communicate(timeout=120)
    report = json.loads(out.splitlines()[-1])
    assert report["requests"] > 0 and report["errors"] > CLIENTS and report["wrong_bytes"] == 0, out + err
    assert all(fault.endswith("503 SlowDown") for fault in report["faults"]), report["faults"]
    code, out, err = cluster.run_program("load", "check", acknowledged, "--bucket", "overload")
    assert code == 0, out + err
    # Nothing of it stays.
    before = cluster.metric("gateway", "martlet_requests_refused_total")
    s3 = cluster.s3()
    for number in range(50):
        s3.put_object(Bucket="overload", Key=f"after/{number}", Body=b"x" * 1000)
    assert cluster.metric("gateway", "martlet_requests_refused_total") == before
    assert cluster.metric("gateway", "martlet_requests_in_service") == 0
